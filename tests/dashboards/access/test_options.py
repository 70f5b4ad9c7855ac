"""What may be served, and what a proxy is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dashboards import DashboardError
from dashboards.access import trusted
from dashboards.access.options import Access, Headers, Login, check, networks
from dashboards.access.users import User
from dashboards.access.viewer import Role, Viewer
from tests.dashboards.access.test_users import HASH

CERT: dict[str, Any] = {"certificate": Path("c.pem"), "key": Path("k.pem")}
PROXY: dict[str, Any] = {"is_behind_proxy": True, "proxies": networks("10.0.0.5")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Access().users_of(tmp_path).change(lambda known: known.update(ada=User("ada", HASH, Role.VIEWER)))
    return tmp_path


@pytest.mark.parametrize(
    ("access", "host"),
    [
        (Access(), "127.0.0.1"),
        (Access(), "::1"),
        (Access(login=Login.USERS), "localhost"),
        (Access(login=Login.USERS, **CERT), "192.0.2.4"),
        (Access(login=Login.USERS, hosts=("plumbline.example",), **CERT), "0.0.0.0"),
        (Access(login=Login.USERS, **PROXY), "127.0.0.1"),
        (Access(login=Login.HEADERS, hosts=("plumbline.example",), **PROXY), "::"),
    ],
)
def test_what_is_safe_is_served(home: Path, access: Access, host: str) -> None:
    check(access, home, host)


@pytest.mark.parametrize(
    ("access", "host", "what"),
    [
        (Access(), "0.0.0.0", "without a login"),
        (Access(**CERT), "192.0.2.4", "without a login"),
        (Access(**PROXY), "127.0.0.1", "without a login"),
        (Access(login=Login.USERS), "192.0.2.4", "in the clear"),
        (Access(login=Login.USERS, **CERT), "0.0.0.0", "does not know its name"),
        (Access(login=Login.USERS, certificate=Path("c.pem")), "127.0.0.1", "without its key"),
        (Access(login=Login.USERS, is_behind_proxy=True), "127.0.0.1", "dashboard_proxies"),
        (Access(login=Login.HEADERS), "127.0.0.1", "from a proxy only"),
        (Access(login=Login.HEADERS, **CERT), "192.0.2.4", "from a proxy only"),
    ],
)
def test_what_is_not_is_refused_in_one_line(home: Path, access: Access, host: str, what: str) -> None:
    with pytest.raises(DashboardError, match=what) as caught:
        check(access, home, host)
    assert "\n" not in str(caught.value)


def test_a_login_without_accounts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="plumbline dashboard user add"):
        check(Access(login=Login.USERS), tmp_path, "127.0.0.1")


GROUPS = Headers(
    user="Remote-User", role="Remote-Groups", teams="Remote-Teams", roles={"on-call": Role.OPERATOR, "boss": Role.ADMIN}
)


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ({"Remote-User": "ada", "Remote-Groups": "x, viewer", "Remote-Teams": "legal, finance"},
         Viewer("ada", Role.VIEWER, frozenset({"legal", "finance"}))),
        ({"Remote-User": "ada@example.com", "Remote-Groups": "viewer,on-call", "Remote-Teams": "legal"},
         Viewer("ada@example.com", Role.OPERATOR, frozenset({"legal"}))),
        ({"Remote-User": "ada", "Remote-Groups": "boss"}, Viewer("ada", Role.ADMIN)),
        ({"Remote-User": "ada", "Remote-Groups": "viewer"}, None),
        ({"Remote-User": "ada", "Remote-Groups": "viewer", "Remote-Teams": " , "}, None),
        ({"Remote-User": "ada", "Remote-Groups": "strangers", "Remote-Teams": "legal"}, None),
        ({"Remote-User": "ada", "Remote-Teams": "legal"}, None),
        ({"Remote-Groups": "boss"}, None),
        ({"Remote-User": "<b>ada", "Remote-Groups": "boss"}, None),
        ({"Remote-User": "a" * 65, "Remote-Groups": "boss"}, None),
    ],
)  # fmt: skip
def test_a_proxy_names_person_roles_and_teams(sent: dict[str, str], seen: Viewer | None) -> None:
    assert trusted.viewer_of(sent.get, GROUPS) == seen


def test_without_headers_for_them_everybody_is_a_viewer_of_everything() -> None:
    assert trusted.viewer_of({"X-Forwarded-User": "ada"}.get, Headers()) == Viewer("ada", Role.VIEWER)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "198.51.100.7, 10.0.0.5", "198.51.100.7"),
        ("10.0.0.5", "198.51.100.7, <script>", "10.0.0.5"),
    ],
)
def test_the_client_is_whom_a_proxy_of_ours_was_asked_by(peer: str, forwarded: str, client: str) -> None:
    assert trusted.client_of(peer, forwarded, networks("10.0.0.5")) == client
