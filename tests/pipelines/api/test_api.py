"""The API over HTTP: who may ask, what is found, what people say and where it is noted, and one line for each error."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.alerts import lifecycle, store
from pipelines.api.guard import MOST_BYTES
from pipelines.api.server import permitted
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from tests.pipelines.api.conftest import AT, HOSTILE, OPERATE, READ, WORKFLOWS, Client
from tests.pipelines.api.conftest import signal as raised


def is_problem(answer: object, status: int, *words: str) -> bool:
    """Whether an answer is a problem of one line with these words."""
    assert answer.status == status, answer  # pyright: ignore[reportAttributeAccessIssue]
    assert answer.headers["content-type"] == "application/problem+json"  # pyright: ignore[reportAttributeAccessIssue]
    found = answer.json  # pyright: ignore[reportAttributeAccessIssue]
    assert found["status"] == status and found["title"] and "\n" not in found["detail"]
    return all(word in found["detail"] for word in words)


# Who may ask


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/health", "/metrics", "/openapi.json", "/docs", "/nowhere", "/"])
def test_no_path_answers_without_a_token(reader: Client, path: str) -> None:
    for token in (None, "", OPERATE[:-1], OPERATE + "x", OPERATE.upper()):
        answer = reader.get(path, token=token)
        assert is_problem(answer, 401, "token")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_that_reads_changes_nothing(reader: Client) -> None:
    assert reader.get("/v1/incidents", token=READ).status == 200
    for action in ("acknowledge", "silence", "unsilence", "resolve", "reopen"):
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"why": "planned", "until": until} if action == "silence" else {"why": "planned"}
        assert is_problem(reader.post("onboarding", action, body, token=READ), 403, "grafana", "may only read")
    assert reader.named("onboarding")["state"] == "open"


def test_answers_are_not_kept_and_offer_nothing_to_other_origins(reader: Client) -> None:
    answer = reader.ask("OPTIONS", "/v1/incidents", Origin="http://elsewhere.example")
    assert answer.status == 405
    for found in (answer, reader.get("/v1/incidents")):
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in found.headers if name.startswith("access-control")]
        assert "server" not in found.headers


def test_without_a_token_nothing_is_served_and_beyond_loopback_somebody_answers_for_it(settings: Settings) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(TerminalError, match="needs a token"):
            permitted(Settings(home=settings.home), host, allow_remote=True)
    assert permitted(settings, "127.0.0.1", allow_remote=False)
    with pytest.raises(TerminalError, match="in the clear"):
        permitted(settings, "0.0.0.0", allow_remote=False)
    assert permitted(settings, "0.0.0.0", allow_remote=True)


# Reading


def test_incidents_are_listed_the_latest_first(reader: Client) -> None:
    found = reader.get("/v1/incidents").json
    assert [each["workflow"] for each in found["items"]] == [*reversed(WORKFLOWS)]
    assert found["next"] is None
    assert found["items"][-1]["opened_at"] == "2026-09-10T00:00:00Z"
    assert found["items"][-1]["silenced_until"] is None


@pytest.mark.parametrize(
    ("query", "workflows"),
    [
        ({"workflow": "refund-desk"}, {"refund-desk"}),
        ({"workflow": "refund-*"}, {"refund-desk", "refund-shop"}),
        ({"workflow": HOSTILE}, {HOSTILE}),
        ({"family": "cost"}, {"refund-shop", HOSTILE}),
        ({"family": ["cost", "tool"]}, set(WORKFLOWS)),
        ({"severity": "info"}, set()),
        ({"since": "2026-09-11T02:00:00+02:00"}, {"refund-shop", "onboarding", HOSTILE}),
        ({"state": "resolved"}, set()),
        ({"state": ["open", "resolved"], "workflow": "onb*"}, {"onboarding"}),
    ],
)
def test_filters_choose(reader: Client, query: dict[str, str], workflows: set[str]) -> None:
    assert {each["workflow"] for each in reader.get("/v1/incidents", query).json["items"]} == workflows


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_hold_each_incident_once_although_others_come_meanwhile(client: Client, limit: int) -> None:
    seen, cursor = [], None
    while True:
        page = client.get("/v1/incidents", {"limit": limit} | ({"cursor": cursor} if cursor else {})).json
        seen += [each["workflow"] for each in page["items"]]
        if not seen[limit:]:
            store.record([raised("latecomer", 9)], client.warehouse)
        if (cursor := page["next"]) is None:
            break
    assert seen == [*reversed(WORKFLOWS)]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"state": "closed"}, "query.state"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "1000000"}, "query.limit"),
        ({"since": "yesterday"}, "query.since"),
        ({"since": "2026-09-11"}, "query.since"),
        ({"cursor": "' OR 1=1"}, "cursor"),
        ({"cursor": "bm9uZQ"}, "cursor"),
    ],
)
def test_a_value_that_is_none_is_named(reader: Client, query: dict[str, str], words: str) -> None:
    assert is_problem(reader.get("/v1/incidents", query), 422, words)


def test_an_incident_comes_with_its_signals_history_and_deliveries(reader: Client) -> None:
    listed = reader.named(HOSTILE)
    found = reader.get(f"/v1/incidents/{listed['incident_id']}").json
    assert {name: found[name] for name in listed} == listed
    (evidence,) = found["evidence"]
    assert evidence["workflow"] == HOSTILE and evidence["detail"] == {"name": HOSTILE}
    assert evidence["log_e"] is None, "infinity is no JSON"
    assert evidence["at"] == "2026-09-13T00:00:00Z"
    assert [(each["kind"], each["to_state"]) for each in found["history"]] == [("opened", "open")]
    assert found["deliveries"] == []


@pytest.mark.parametrize("name", ["0000000000000000", "a" * 64])
def test_an_incident_that_is_not_there_is_404(reader: Client, name: str) -> None:
    assert is_problem(reader.get(f"/v1/incidents/{name}"), 404, "no such incident")
    assert is_problem(reader.ask("POST", f"/v1/incidents/{name}/resolve", {}), 404, "no such incident")


def test_an_id_is_whole_or_none(reader: Client) -> None:
    beginning = reader.named("onboarding")["incident_id"][:6]
    assert is_problem(reader.ask("POST", f"/v1/incidents/{beginning}/resolve", {}), 404)
    assert is_problem(reader.get("/v1/incidents/%27%20OR%201=1"), 422, "incident_id")
    assert reader.named("onboarding")["state"] == "open"


def test_health_and_metrics_tell_how_the_warehouse_stands(client: Client) -> None:
    client.post("onboarding", "resolve")
    health = client.get("/v1/health").json
    assert health["incidents"] == {"open": 3, "resolved": 1}
    assert health["last_commit_at"] is None and health["checkpoint_at"] is None
    text = client.get("/metrics", token=READ).text
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["plumbline_warehouse_up",] == 1
    assert (
        found["plumbline_warehouse_incidents", "open"] == 3 and found["plumbline_warehouse_incidents", "silenced"] == 0
    )
    assert found["plumbline_warehouse_signals", "cost"] == 2
    assert "plumbline_warehouse_last_commit_timestamp_seconds" not in text, "unknown is absent"
    assert HOSTILE[:20] not in text


# Answering


def test_what_people_say_is_noted_with_the_name_of_the_token(client: Client) -> None:
    answer = client.post("refund-desk", "acknowledge", {"who": "ada", "why": "on it"})
    assert answer.status == 200 and answer.json["state"] == "acknowledged"
    until = datetime.now(UTC) + timedelta(hours=2)
    answer = client.post("refund-desk", "silence", {"until": until.isoformat(), "why": "planned work"})
    assert answer.json["state"] == "silenced"
    assert datetime.fromisoformat(answer.json["silenced_until"]) == until
    assert client.post("refund-desk", "unsilence", {"why": "done early"}).json["state"] == "acknowledged"
    assert client.post("refund-desk", "resolve").json["state"] == "resolved"
    assert client.post("refund-desk", "reopen", {"who": HOSTILE, "why": HOSTILE}).json["state"] == "open"
    history = client.get(f"/v1/incidents/{answer.json['incident_id']}").json["history"]
    assert [(each["kind"], each["said_by"], each["why"]) for each in history[1:]] == [
        ("acknowledged", "ada (through pager)", "on it"),
        ("silenced", "pager", "planned work"),
        ("unsilenced", "pager", "done early"),
        ("resolved", "pager", None),
        ("reopened", f"{HOSTILE} (through pager)", HOSTILE),
    ]


@pytest.mark.parametrize(("judged", "state"), [("real", "acknowledged"), ("false", "resolved")])
def test_a_judgement_reaches_the_detectors(client: Client, judged: str, state: str) -> None:
    answer = client.post("onboarding", "acknowledge", {"judged": judged})
    assert (answer.json["state"], answer.json["judged"]) == (state, judged)
    rows = client.warehouse.query("SELECT incident_id, judgement, said_by FROM acknowledgements").rows()
    assert rows == [(answer.json["incident_id"], judged, "pager")]


def test_what_the_state_does_not_allow_is_a_conflict(client: Client) -> None:
    assert is_problem(client.post("onboarding", "reopen"), 409, "open")
    client.post("onboarding", "resolve")
    for action in ("resolve", "acknowledge"):
        assert is_problem(client.post("onboarding", action), 409, "resolved")
    assert is_problem(client.post("refund-desk", "unsilence"), 409)


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("silence", {"why": "x"}, "body.until"),
        ("silence", {"until": "2020-01-01T00:00:00Z", "why": "x"}, "body.until"),
        ("silence", {"until": "2999-01-01T00:00:00Z", "why": "x"}, "90 days"),
        ("silence", {"until": "2026-12-01T00:00:00", "why": "x"}, "body.until"),
        ("silence", {"until": "soon", "why": "x"}, "body.until"),
        ("silence", {"until": "2999-01-01T00:00:00Z", "why": "  "}, "body.why"),
        ("acknowledge", {"judged": "maybe"}, "body.judged"),
        ("acknowledge", {"why": "x" * 2001}, "body.why"),
        ("resolve", {"who": "x" * 101}, "body.who"),
        ("resolve", {"reason": "no such name"}, "body.reason"),
        ("resolve", [], "body"),
    ],
)
def test_what_is_wrong_in_a_body_is_named_and_nothing_is_done(
    reader: Client, action: str, body: object, words: str
) -> None:
    assert is_problem(reader.post("onboarding", action, body), 422, words)
    assert reader.named("onboarding")["state"] == "open"


def test_bodies_that_are_no_json_or_too_large_are_refused(reader: Client) -> None:
    path = f"/v1/incidents/{reader.named('onboarding')['incident_id']}/resolve"
    assert is_problem(reader.ask("POST", path, raw=b"{"), 422, "JSON")
    assert is_problem(reader.ask("POST", path, raw=b"\xff\xfe"), 422)
    assert is_problem(reader.ask("POST", path, raw=b'{"why": "' + b"[" * 30_000 + b'"}'), 422)
    assert is_problem(reader.ask("POST", path, raw=b"why=because", **{"Content-Type": "text/plain"}), 422)
    assert is_problem(reader.ask("POST", path, raw=b" " * (MOST_BYTES + 1)), 413, "32,768 bytes")
    assert is_problem(reader.ask("GET", path), 405)
    assert reader.named("onboarding")["state"] == "open"


def test_a_body_without_a_declared_length_is_cut_off_too(reader: Client) -> None:
    parts = urlsplit(reader.address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        head = f"POST /v1/incidents/x/resolve HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATE}\r\n"
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
        connection.sendall(chunk * (MOST_BYTES // 4096 + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_requests_at_once_each_get_their_answer_and_every_change_is_noted_once(client: Client) -> None:
    name = client.named("onboarding")["incident_id"]
    statuses: list[int] = []

    def ask(number: int) -> None:
        if number % 2:
            statuses.append(client.get(f"/v1/incidents/{name}").status)
        else:
            body = {"until": (datetime.now(UTC) + timedelta(hours=1 + number)).isoformat(), "why": f"number {number}"}
            statuses.append(client.ask("POST", f"/v1/incidents/{name}/silence", body).status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 16
    reasons = [
        each["why"] for each in client.get(f"/v1/incidents/{name}").json["history"] if each["kind"] == "silenced"
    ]
    assert sorted(reasons) == sorted(f"number {number}" for number in range(0, 16, 2))


def test_a_warehouse_that_fails_is_one_line_and_no_stack(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("pipelines.api.reading.page", broken)
    answer = reader.get("/v1/incidents")
    assert is_problem(answer, 500, "log")
    assert "secret" not in answer.text


# The description


def test_the_openapi_document_describes_every_path_its_problems_and_the_token(reader: Client) -> None:
    document = reader.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    actions = {
        f"/v1/incidents/{{incident_id}}/{name}" for name in ("acknowledge", "silence", "unsilence", "resolve", "reopen")
    }
    assert set(document["paths"]) == actions | {
        "/v1/incidents",
        "/v1/incidents/{incident_id}",
        "/v1/health",
        "/metrics",
    }
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            assert described["security"], (path, method)
            assert "application/problem+json" in described["responses"]["401"]["content"]
            assert described["summary"]
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


# The command


def test_the_command_serves_until_it_is_told_to_stop(settings: Settings, client: Client) -> None:
    client.post("onboarding", "acknowledge")
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(settings.home), "api", "--port", "0"]
    environment = {"PATH": "/usr/bin", "PLUMBLINE_API_TOKENS": f"pager operate {OPERATE}; grafana read {READ}"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("API at http://127.0.0.1:"), line
        other = Client(line.split()[2], client.warehouse)
        assert other.named("onboarding")["state"] == "acknowledged", "another process wrote it"
        other.post("refund-desk", "resolve", {"why": "over"})
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 0, rest
        assert OPERATE not in rest
    incident = client.named("refund-desk")["incident_id"]
    assert lifecycle.history(client.warehouse, incident)["why"].to_list()[-1] == "over"


def test_the_command_without_a_token_ends_with_one_line(settings: Settings, client: Client) -> None:
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(settings.home), "api"]
    done = subprocess.run(command, env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "needs a token" in done.stderr and "api_token_file" in done.stderr


def test_times_are_of_the_signals(reader: Client) -> None:
    assert json.loads(reader.get("/v1/incidents", {"workflow": "onboarding"}).text)["items"][0]["onset_at"] == (
        (AT + timedelta(days=2)).isoformat() + "Z"
    )
