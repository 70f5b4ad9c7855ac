"""Accounts on the command line, and the settings by which the dashboard lets people in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dashboards.access.options import Access, Headers, Login, networks
from dashboards.access.passwords import is_password
from dashboards.access.users import Users
from dashboards.access.viewer import Role
from pipelines.cli import main
from pipelines.commands.access import access_of
from pipelines.errors import TerminalError
from pipelines.settings import Settings

PASSWORD = "four words are enough"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return type_in


def run(tmp_path: Path, *arguments: str) -> int:
    return main(["--home", str(tmp_path), "dashboard", "user", *arguments])


def test_an_account_is_made_changed_and_taken_away(tmp_path: Path, typed, capfd: pytest.CaptureFixture[str]) -> None:
    users = Users(tmp_path / "users.yaml")
    typed(f"{PASSWORD}\n")
    assert run(tmp_path, "add", "ada", "--role", "operator", "--team", "finance", "--team", "legal") == 0
    first = users.all()["ada"]
    assert (first.role, first.teams) == (Role.OPERATOR, ("finance", "legal"))
    assert is_password(PASSWORD, first.password)
    assert run(tmp_path, "set", "ada", "--role", "admin", "--all-teams") == 0
    assert (users.all()["ada"].role, users.all()["ada"].teams) == (Role.ADMIN, ())
    typed("another one of four words\n")
    assert run(tmp_path, "passwd", "ada") == 0
    assert is_password("another one of four words", users.all()["ada"].password)
    assert run(tmp_path, "list") == 0
    assert run(tmp_path, "remove", "ada") == 0
    assert users.all() == {}
    shown = capfd.readouterr()
    assert "ada  admin  every team" in shown.out and "scrypt" not in shown.out + shown.err
    assert PASSWORD not in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "a b"], "no name of an account"),
        (["add", "ada", "--role", "boss"], "use one of viewer, operator, admin"),
        (["add", "ada"], "take 15 characters or more"),
        (["passwd", "eve"], "there is no account 'eve'"),
        (["remove", "eve"], "there is no account 'eve'"),
        (["set", "eve"], "nothing to set"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, typed, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    typed("short\n")
    assert run(tmp_path, *arguments) != 0
    told = capfd.readouterr().err
    assert words in told and told.count("\n") == 1
    assert not (tmp_path / "users.yaml").exists()


def test_an_account_is_not_made_twice(tmp_path: Path, typed, capfd: pytest.CaptureFixture[str]) -> None:
    typed(f"{PASSWORD}\n{PASSWORD}\n")
    assert run(tmp_path, "add", "ada") == 0
    assert run(tmp_path, "add", "ada", "--role", "admin") != 0
    assert "is there already" in capfd.readouterr().err
    assert Users(tmp_path / "users.yaml").all()["ada"].role is Role.VIEWER


def test_settings_say_how_people_come_in() -> None:
    settings = Settings(
        dashboard_login="headers",
        dashboard_url="https://Plumbline.example.com:8443/",
        dashboard_hosts="plumbline.internal, 10.0.0.9",
        dashboard_proxies="10.0.0.5, 10.1.0.0/16",
        dashboard_role_header="X-Groups",
        dashboard_roles="on-call=operator, cn=boss,",
    )
    with pytest.raises(TerminalError, match="dashboard_roles"):
        access_of(settings)
    settings = Settings(
        dashboard_login="headers",
        dashboard_url="https://Plumbline.example.com:8443/",
        dashboard_hosts="plumbline.internal, 10.0.0.9",
        dashboard_proxies="10.0.0.5, 10.1.0.0/16",
        dashboard_role_header="X-Groups",
        dashboard_roles="on-call=operator, cn=boss=admin",
    )
    assert access_of(settings, is_behind_proxy=True) == Access(
        login=Login.HEADERS,
        hosts=("plumbline.internal", "10.0.0.9", "plumbline.example.com"),
        proxies=networks("10.0.0.5,10.1.0.0/16"),
        is_behind_proxy=True,
        headers=Headers("X-Forwarded-User", "X-Groups", "", {"on-call": Role.OPERATOR, "cn=boss": Role.ADMIN}),
    )
    assert access_of(settings, login="users").login is Login.USERS
    assert access_of(Settings()) == Access()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(dashboard_login="ldap"), "there is no login 'ldap'"),
        (Settings(dashboard_proxies="proxy.example"), "dashboard_proxies"),
        (Settings(dashboard_proxies="10.0.0.1/8"), "dashboard_proxies"),
        (Settings(dashboard_idle_minutes=0.0), "no time"),
    ],
)
def test_a_setting_that_says_nothing_is_refused(settings: Settings, words: str) -> None:
    with pytest.raises(TerminalError, match=words):
        access_of(settings)


def test_beyond_this_machine_the_dashboard_starts_with_a_login_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from warehouse import Warehouse

    Warehouse.open(tmp_path / "warehouse").close()
    for arguments, words in (
        (["--host", "0.0.0.0"], "without a login the dashboard is served to this machine only"),
        (["--login", "users"], "plumbline dashboard user add NAME"),
        (["--host", "192.0.2.4", "--login", "users"], "in the clear"),
        (["--login", "headers"], "--behind-proxy"),
    ):
        assert main(["--home", str(tmp_path), "dashboard", *arguments]) != 0
        told = capfd.readouterr().err
        assert words in told and told.count("\n") == 1
