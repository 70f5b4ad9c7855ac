"""What the dashboard asks of the API, and the line that it makes of each answer; who may ask the dashboard for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboards import DashboardError, create_app
from dashboards.desk import Desk

TOKEN = "0123456789abcdef" * 4


@contextmanager
def answering(status: int, body: object, **headers: str) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives one answer to all, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked.append((self.path, dict(self.headers), json.loads(self.rfile.read(length))))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_token_and_the_words_are_sent_and_an_id_stays_an_id() -> None:
    with answering(200, {}) as (url, asked):
        said = Desk(url, TOKEN).act("real", "../../v1/x?y=#", who=" ada ", why="")
    assert said.is_done and said.line == "Acknowledged as real."
    ((path, headers, body),) = asked
    assert path == "/v1/incidents/..%2F..%2Fv1%2Fx%3Fy%3D%23/acknowledge"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert body == {"judged": "real", "who": "ada"}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (409, {"detail": "can't resolve an incident that is resolved\u202e<b>"}, "Not done: can't resolve"),
        (401, {"detail": "x"}, "role operate"),
        (403, {"detail": "x"}, "role operate"),
        (502, b"<html>", "answered 502: nothing was changed"),
        (500, ["no object"], "answered 500"),
    ],
)
def test_a_refusal_is_one_line(status: int, body: object, words: str) -> None:
    with answering(status, body) as (url, _):
        said = Desk(url, TOKEN).act("resolve", "inc-1")
    assert not said.is_done and words in said.line and "\n" not in said.line
    assert "\u202e" not in said.line and TOKEN not in said.line


def test_the_token_follows_no_redirect() -> None:
    with answering(200, {}) as (other, asked), answering(307, {}, Location=f"{other}/v1/x") as (url, _):
        said = Desk(url, TOKEN).act("resolve", "inc-1")
    assert not said.is_done and asked == []


def test_a_proxy_of_the_environment_does_not_see_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, {}) as (proxy, seen), answering(200, {}) as (url, asked):
        monkeypatch.setenv("http_proxy", proxy)
        assert Desk(url, TOKEN).act("resolve", "inc-1").is_done
    assert len(asked) == 1 and seen == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://api.example:8060", "in the clear"),
        ("ftp://127.0.0.1", "no address"),
        ("127.0.0.1:8060", "no address"),
        ("http://me:you@127.0.0.1", "no address"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(DashboardError, match=words):
        Desk(url, TOKEN)
    assert TOKEN not in repr(Desk("https://api.example", TOKEN))


@pytest.fixture(scope="module")
def client(home: Path) -> FlaskClient:
    return create_app(home, Desk("http://127.0.0.1:9", TOKEN)).server.test_client()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    body = json.dumps({"output": "..told.children.."})
    sent = {"Content-Type": "application/json", **headers}
    assert client.post("/_dash-update-component", data=body, headers=sent).status_code == 403


def test_the_apps_own_page_may(client: FlaskClient) -> None:
    question = {
        "output": "revision.data",
        "outputs": {"id": "revision", "property": "data"},
        "inputs": [{"id": "clock", "property": "n_intervals", "value": 1}],
        "state": [
            {"id": "revision", "property": "data", "value": None},
            {"id": "address", "property": "pathname", "value": "/"},
        ],
        "changedPropIds": ["clock.n_intervals"],
    }
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/_dash-update-component", json=question, headers=headers).status_code == 200
