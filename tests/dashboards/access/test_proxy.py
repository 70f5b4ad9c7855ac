"""Behind a proxy that says who asks: its word counts, and nobody else's."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboards import create_app
from dashboards.access.options import Access, Headers, Login, networks
from dashboards.access.viewer import Role
from dashboards.server import served
from tests.dashboards.access.conftest import show

BY_HEADERS = Access(
    login=Login.HEADERS,
    is_behind_proxy=True,
    proxies=networks("10.0.0.5"),
    hosts=("plumbline.example",),
    headers=Headers("Remote-User", "Remote-Groups", "Remote-Teams", {"on-call": Role.OPERATOR}),
)


def proxied(client: FlaskClient, path: str = "/", peer: str = "10.0.0.5", **headers: str) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=sent, environ_base={"REMOTE_ADDR": peer}, base_url="http://plumbline.example")


@pytest.fixture
def behind(home: Path) -> FlaskClient:
    return create_app(home, access=BY_HEADERS).server.test_client()


def test_headers_are_believed_from_the_proxy_alone(behind: FlaskClient) -> None:
    said = {"Remote_User": "ada", "Remote_Groups": "admin"}
    assert proxied(behind, **said).status_code == 200
    for peer in ("192.0.2.1", "127.0.0.1", "10.0.0.6"):
        assert proxied(behind, peer=peer, **said).status_code == 403
        assert proxied(behind, peer=peer, X_Forwarded_For="10.0.0.5", **said).status_code == 403
    assert proxied(behind, peer="192.0.2.1", path="/health").status_code == 200
    assert proxied(behind).status_code == 403
    assert proxied(behind, Remote_User="ada").status_code == 403, "no role"


def test_a_header_that_a_proxy_overlooks_names_nobody(home: Path) -> None:
    access = replace(BY_HEADERS, proxies=networks("127.0.0.1"), headers=Headers("Remote-User"))

    def ask(header: str) -> int:
        try:
            with urllib.request.urlopen(urllib.request.Request(address + "account", headers={header: "ada"})) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    with served(home, access=access) as address:
        assert ask("Remote-User") == 200
        assert ask("Remote_User") == 403, "to WSGI the two are one"


def test_a_proxy_s_viewer_has_its_teams_and_its_name(behind: FlaskClient) -> None:
    said = {"Remote_User": "otto@example.com", "Remote_Groups": "on-call", "Remote_Teams": "finance"}
    layout = proxied(behind, "/_dash-layout", **said).get_data(as_text=True)
    assert "invoice-matching" in layout and "contract-review" not in layout and "otto@example.com" in layout
    account = proxied(behind, "/account", **said).get_data(as_text=True)
    assert "operator" in account and "Sign out" not in account
    assert proxied(behind, "/", **said).headers["Strict-Transport-Security"]


def test_behind_a_proxy_its_page_is_of_https(behind: FlaskClient) -> None:
    def ask(origin: str) -> int:
        return behind.post(
            "/_dash-update-component",
            json=show("/"),
            headers={"Origin": origin, "Remote-User": "ada", "Remote-Groups": "admin"},
            environ_base={"REMOTE_ADDR": "10.0.0.5"},
            base_url="http://plumbline.example",
        ).status_code

    assert ask("https://plumbline.example") == 200
    assert ask("http://plumbline.example") == 403


def test_another_host_is_refused_before_anything(behind: FlaskClient) -> None:
    answer = behind.get("/login", base_url="http://rebound.example", environ_base={"REMOTE_ADDR": "10.0.0.5"})
    assert answer.status_code == 400
