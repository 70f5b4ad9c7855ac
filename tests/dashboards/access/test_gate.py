"""Through the gate: strangers see nothing, forms of other pages do nothing, and a role is checked where it counts."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboards import create_app
from dashboards.access import gate
from dashboards.access.gate import safe_next
from dashboards.access.options import Access, Login, networks
from dashboards.access.throttle import Throttle
from dashboards.access.users import Users
from dashboards.access.viewer import Role
from dashboards.desk import Desk, Said
from tests.dashboards.access.conftest import callback, password, show

BY_PASSWORD = Access(login=Login.USERS)


class Remembering(Desk):
    """A desk that notes what was asked of it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "t" * 32)
        self.asked: list[dict[str, Any]] = []

    def act(self, name: str, incident_id: str, *, who: str = "", why: str = "", hours: float | None = None) -> Said:
        self.asked.append({"name": name, "incident": incident_id, "who": who})
        return Said(True, "Done.")


@pytest.fixture
def client(home: Path) -> FlaskClient:
    return create_app(home, access=BY_PASSWORD).server.test_client()


def token(client: FlaskClient, page: str = "/login") -> str:
    found = re.search(r'name="token" value="(\w+)"', client.get(page).get_data(as_text=True))
    assert found is not None
    return found[1]


def sign_in(client: FlaskClient, name: str, secret: str | None = None, **more: str) -> TestResponse:
    form = {"name": name, "password": secret or password(name), "token": token(client), "next": "/", **more}
    return client.post("/login", data=form)


def press(act: str, incident: str, who: str = "") -> dict[str, Any]:
    button = json.dumps({"act": act}, separators=(",", ":"))
    asked = callback(
        *("told.children", "told.className", "revision.data"),
        inputs=[[{"id": {"act": act}, "property": "n_clicks", "value": 1}]],  # type: ignore[list-item]
        changed=[f"{button}.n_clicks"],
        state=[
            [{"id": {"act": act}, "property": "id", "value": {"act": act}}],  # type: ignore[list-item]
            {"id": "address", "property": "search", "value": f"?incident={incident}"},
            {"id": "act-who", "property": "value", "value": who},
            {"id": "act-why", "property": "value", "value": "why"},
            {"id": "act-hours", "property": "value", "value": 4},
        ],
    )
    asked["outputs"] = [
        {"id": "told", "property": "children"},
        {"id": "told", "property": "className"},
        {"id": "revision", "property": "data@x"},
    ]
    return asked


def pressing(client: FlaskClient, act: str, incident: str, who: str = "") -> TestResponse:
    asked = press(act, incident, who)
    # Dash names a shared output by a hash that only it knows.
    outputs = client.get("/_dash-dependencies").get_json()
    asked["output"] = next(
        each["output"] for each in outputs if each["output"].startswith("..told.children...told.className...rev")
    )
    asked["outputs"][2]["property"] = asked["output"].strip(".").split("...")[2].split(".", 1)[1]
    return client.post("/_dash-update-component", json=asked)


@pytest.mark.parametrize("path", ["/", "/cost?workflow=invoice-matching", "/drift", "/nowhere", "/account"])
def test_a_stranger_is_led_to_sign_in_and_back(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=%2F")
    assert "claims-triage" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/_dash-layout", "/_dash-dependencies", "/_reload-hash", "/_dash-whatever"])
def test_a_stranger_gets_nothing_of_the_app(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in {401, 303}
    assert client.post("/_dash-update-component", json=show("/")).status_code == 401
    assert client.post("/account/end", data={"key": "00"}).status_code == 401


def test_styles_and_health_are_for_everybody(client: FlaskClient) -> None:
    for path in ("/health", "/assets/theme.js", "/login"):
        with client.get(path) as answer:
            assert answer.status_code == 200


def test_signing_in_and_out(client: FlaskClient) -> None:
    answer = sign_in(client, "wilma", next="/cost?period=7d&evil=1")
    assert answer.status_code == 303 and answer.headers["Location"] == "/cost?period=7d"
    cookie = next(text for text in answer.headers.getlist("Set-Cookie") if text.startswith("plumbline="))
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie and "Expires" not in cookie
    page = client.post("/_dash-update-component", json=show("/")).get_data(as_text=True)
    assert "invoice-matching" in page and "contract-review" in page and "wilma" in page
    assert client.get("/login?next=/cost").headers["Location"] == "/cost"
    kept = client.get_cookie("plumbline")
    assert kept is not None
    assert client.post("/logout", data={"token": token(client, "/account")}).status_code == 303
    client.set_cookie("plumbline", kept.value)
    assert client.get("/").status_code == 303, "the old cookie is good for nothing"


def test_a_wrong_password_and_a_wrong_name_get_the_same_answer(client: FlaskClient) -> None:
    wrong, nobody = sign_in(client, "wilma", "wrong"), sign_in(client, "nobody", "wrong")
    hidden = sign_in(client, "<script>x", "wrong")
    assert wrong.status_code == nobody.status_code == hidden.status_code == 401

    def said(answer: TestResponse) -> str:
        return re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True))

    assert said(wrong) == said(nobody)
    assert "<script>x" not in hidden.get_data(as_text=True)
    assert client.get_cookie("plumbline") is None


def test_tries_slow_down_and_the_right_password_waits_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "Throttle", lambda: Throttle(now=lambda: 0.0))
    client = create_app(home, access=BY_PASSWORD).server.test_client()
    for _ in range(5):
        sign_in(client, "wilma", "wrong")
    answer = sign_in(client, "wilma")
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
    assert sign_in(client, "ada").status_code == 303, "others are not held up"


@pytest.mark.parametrize("given", ["", "0" * 64])
def test_a_form_that_is_not_ours_signs_nobody_in_or_out(client: FlaskClient, given: str) -> None:
    assert sign_in(client, "wilma", token=given).status_code == 403
    sign_in(client, "wilma")
    assert client.post("/logout", data={"token": given}).status_code == 403
    assert client.get("/").status_code == 200


def test_what_the_browser_asks_for_by_itself_leaves_an_open_form_alone(client: FlaskClient) -> None:
    mine = token(client)
    assert client.get("/favicon.ico", headers={"Sec-Fetch-Mode": "no-cors"}).status_code == 401
    token(client)  # another tab
    assert sign_in(client, "wilma", token=mine).status_code == 303


def test_a_form_for_another_browser_is_not_ours(home: Path) -> None:
    app = create_app(home, access=BY_PASSWORD).server
    mine, theirs = app.test_client(), app.test_client()
    theirs.get("/login")
    assert sign_in(theirs, "wilma", token=token(mine)).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_on_another_site_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    form = {"name": "wilma", "password": password("wilma"), "token": token(client)}
    assert client.post("/login", data=form, headers=headers).status_code == 403
    assert client.post("/login", json=form).status_code == 403, "a form is a form"


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/login",
        "javascript:alert(1)",
        "/%2f/evil.example",
        "\r\n/x",
    ],
)
def test_signing_in_leads_nowhere_else(client: FlaskClient, address: str) -> None:
    assert safe_next(address) == "/"
    assert sign_in(client, "ada", next=address).headers["Location"] == "/"


def test_a_session_ends_with_its_password(client: FlaskClient, home: Path) -> None:
    sign_in(client, "wilma")
    assert client.get("/").status_code == 200
    users = Users(home / "users.yaml")
    users.change(
        lambda known: known.update(wilma=known["felix"].__class__("wilma", known["felix"].password, Role.VIEWER))
    )
    assert client.get("/").status_code == 303


def test_accounts_that_others_may_read_let_nobody_in_and_the_log_says_so(
    client: FlaskClient, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, "wilma")
    (home / "users.yaml").chmod(0o644)
    assert client.get("/").status_code == 303
    assert sign_in(client, "wilma").status_code == 401
    assert "chmod 600" in caplog.text


def test_a_team_s_viewer_gets_its_own_pages_also_from_what_is_kept(home: Path) -> None:
    app = create_app(home, access=BY_PASSWORD).server
    whole, scoped = app.test_client(), app.test_client()
    sign_in(whole, "wilma")
    sign_in(scoped, "felix")
    everything = own = ""
    for _ in range(2):
        everything = whole.post("/_dash-update-component", json=show("/")).get_data(as_text=True)
        own = scoped.post("/_dash-update-component", json=show("/")).get_data(as_text=True)
        assert "contract-review" in everything and "contract-review" not in own and "invoice-matching" in own
    layout = scoped.get("/_dash-layout").get_data(as_text=True)
    assert "contract-review" not in layout and "invoice-matching" in layout and "felix" in layout
    assert "wilma" not in own and "felix" not in everything


def test_only_an_operator_answers_incidents_under_its_own_name_and_those_it_sees(home: Path) -> None:
    desk = Remembering()
    app = create_app(home, desk, BY_PASSWORD).server
    viewer, operator = app.test_client(), app.test_client()
    sign_in(viewer, "wilma")
    sign_in(operator, "otto")
    seen = viewer.post("/_dash-update-component", json=show("/drift", "?incident=inc-0001")).get_data(as_text=True)
    assert "inc-0001" in seen and "It is real" not in seen and "Your name" not in seen
    offered = operator.post("/_dash-update-component", json=show("/drift", "?incident=inc-0001")).get_data(as_text=True)
    assert "It is real" in offered and "Your name" not in offered
    assert "Your role may look" in pressing(viewer, "resolve", "inc-0001").get_data(as_text=True)
    assert "no such incident" in pressing(operator, "resolve", "inc-0002").get_data(as_text=True)
    assert desk.asked == []
    assert "Done." in pressing(operator, "resolve", "inc-0001", who="somebody else").get_data(as_text=True)
    assert desk.asked == [{"name": "resolve", "incident": "inc-0001", "who": "otto"}]


def test_an_administrator_sees_accounts_and_ends_sessions_and_nobody_else_does(home: Path) -> None:
    app = create_app(home, access=BY_PASSWORD).server
    admin, viewer = app.test_client(), app.test_client()
    sign_in(viewer, "felix")
    own = viewer.get("/account").get_data(as_text=True)
    assert "workflows of finance" in own and "Signed in" not in own and "otto" not in own
    sign_in(admin, "ada")
    page = admin.get("/account").get_data(as_text=True)
    assert "otto" in page and "scrypt" not in page
    key = re.findall(r'name="key" value="(\w+)"[^>]*><button[^>]*of felix', page)[0]
    theirs = {"key": key, "token": token(viewer, "/account")}
    assert viewer.post("/account/end", data=theirs).status_code == 403
    assert viewer.get("/").status_code == 200
    assert admin.post("/account/end", data={"key": key, "token": token(admin, "/account")}).status_code == 303
    assert viewer.get("/").status_code == 303


def test_an_open_page_alone_does_not_keep_anybody_signed_in(home: Path) -> None:
    client = create_app(home, access=Access(login=Login.USERS, idle_minutes=60)).server.test_client()
    sign_in(client, "wilma")

    def noted(change: str = "") -> float:
        with sqlite3.connect(home / "dashboard-sessions.sqlite") as base:
            if change:
                base.execute(change)
            return base.execute("SELECT seen_at FROM sessions").fetchone()[0]

    before = noted("UPDATE sessions SET seen_at = seen_at - 1800")
    clock = {"id": "clock", "property": "n_intervals", "value": 1}
    state = [
        {"id": "revision", "property": "data", "value": "x"},
        {"id": "address", "property": "pathname", "value": "/"},
    ]
    asked = callback("revision.data", inputs=[clock], changed=["clock.n_intervals"], state=state)
    asked["outputs"] = asked["outputs"][0]
    assert client.post("/_dash-update-component", json=asked).status_code == 200
    assert noted() == before
    assert client.post("/_dash-update-component", json=show("/")).status_code == 200
    assert noted() > before


def test_the_sign_in_page_has_a_strict_policy_and_takes_its_own_form_only(client: FlaskClient) -> None:
    headers = client.get("/login").headers
    policy = headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert "frame-ancestors 'none'" in policy and headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store" and "Strict-Transport-Security" not in headers
    sign_in(client, "wilma")
    assert "form-action 'none'" in client.get("/").headers["Content-Security-Policy"]


def test_a_name_of_a_megabyte_is_no_name(client: FlaskClient) -> None:
    assert sign_in(client, "v" * 900_000, "x").status_code == 401
    assert client.get("/login?next=/" + "x" * 50_000).status_code == 200


def test_by_https_the_cookie_is_secure_and_bound_to_its_host(home: Path) -> None:
    access = Access(login=Login.USERS, is_behind_proxy=True, proxies=networks("127.0.0.1"))
    client = create_app(home, access=access).server.test_client()
    answer = client.get("/login")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-plumbline-form=") and "Secure" in cookie and "Domain" not in cookie


def test_a_link_on_another_site_comes_through_a_page_of_our_own(client: FlaskClient) -> None:
    answer = client.get("/drift?incident=inc-0001", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200 and "url=/login?next=%2Fdrift%3Fincident%3Dinc-0001" in answer.get_data(
        as_text=True
    )
