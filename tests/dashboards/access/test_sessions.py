"""Sessions: they end when they should, and what is kept of them lets nobody in. And tries of passwords slow down."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards import DashboardError
from dashboards.access.sessions import Sessions, secret_of
from dashboards.access.throttle import Throttle
from dashboards.access.users import User
from dashboards.access.viewer import Role

ADA = User("ada", "scrypt:hash", Role.OPERATOR, ("finance",))


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path / "s.sqlite", b"k" * 32, idle_seconds=3600, longest_seconds=36_000, now=clock)


def known(_name: str) -> User:
    return ADA


def seen(sessions: Sessions, token: str, account=known, *, is_attended: bool = True) -> User | None:
    return sessions.user(token, account, is_attended=is_attended)


def test_a_session_is_its_token_s(sessions: Sessions) -> None:
    token = sessions.begin(ADA, "192.0.2.1")
    assert seen(sessions, token) == ADA
    assert seen(sessions, token + "x") is None
    assert seen(sessions, "") is None
    assert token != sessions.begin(ADA, "192.0.2.1")


def test_neither_token_nor_secret_stands_in_the_file_that_only_its_owner_reads(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "s.sqlite"
    sessions = Sessions(file, b"k" * 32, now=clock)
    token = sessions.begin(ADA, "192.0.2.1")
    sessions.close()
    assert token.encode() not in file.read_bytes() and b"kkkkkkkk" not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = Sessions(file, b"k" * 32, now=clock)
    assert seen(again, token) == ADA, "it outlives a restart"
    again.close()
    file.chmod(0o644)
    with pytest.raises(DashboardError, match="chmod 600"):
        Sessions(file, b"k" * 32)


def test_it_ends_unused_and_an_open_page_does_not_use_it(sessions: Sessions, clock: Clock) -> None:
    used, watched = sessions.begin(ADA, "a"), sessions.begin(ADA, "a")
    for _ in range(5):
        clock.at += 1800
        assert seen(sessions, used) == ADA
        seen(sessions, watched, is_attended=False)
    assert seen(sessions, watched) is None
    clock.at += 3600
    assert seen(sessions, used) is None


def test_it_ends_after_the_longest_time_however_it_is_used(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin(ADA, "a")
    for _ in range(19):
        clock.at += 1800
        assert seen(sessions, token) == ADA
    clock.at += 1800
    assert seen(sessions, token) is None


@pytest.mark.parametrize(
    "changed", [replace(ADA, password="other"), replace(ADA, role=Role.VIEWER), replace(ADA, teams=("legal",)), None]
)
def test_it_ends_when_password_role_or_teams_change_for_good(sessions: Sessions, changed: User | None) -> None:
    token = sessions.begin(ADA, "a")
    assert seen(sessions, token, lambda _: changed) is None
    assert seen(sessions, token) is None, "not even when they change back"


def test_it_ends_when_its_person_or_an_administrator_ends_it(sessions: Sessions) -> None:
    first, second = sessions.begin(ADA, "192.0.2.1"), sessions.begin(ADA, "192.0.2.2")
    sessions.end(first)
    assert seen(sessions, first) is None
    (left,) = sessions.all()
    assert (left.name, left.address) == ("ada", "192.0.2.2")
    sessions.end_of("no hex")
    sessions.end_of(left.key)
    assert seen(sessions, second) is None and sessions.all() == []


def test_one_account_has_only_so_many(sessions: Sessions, clock: Clock) -> None:
    tokens = []
    for _ in range(25):
        clock.at += 1
        tokens.append(sessions.begin(ADA, "a"))
    assert len(sessions.all()) == 20
    assert seen(sessions, tokens[0]) is None and seen(sessions, tokens[-1]) == ADA


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "home" / "dashboard.secret"
    secret = secret_of(file)
    assert len(secret) == 64 and secret_of(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    with pytest.raises(DashboardError, match="chmod 600"):
        secret_of(file)
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(DashboardError, match="too short"):
        secret_of(file)


def test_after_some_wrong_passwords_each_one_waits_twice_as_long(clock: Clock) -> None:
    throttle = Throttle(now=clock)
    waits = []
    for _ in range(16):
        waits.append(throttle.wait("ada", "a"))
        throttle.failed("ada", "a")
    assert waits[:8] == [0, 0, 0, 0, 0, 1, 2, 4]
    assert max(waits) == 900.0 or waits[-1] > 500
    clock.at += 3600
    assert throttle.wait("ada", "a") == 0


def test_another_person_at_the_address_and_the_account_elsewhere_go_on_for_a_while(clock: Clock) -> None:
    throttle = Throttle(now=clock)
    for _ in range(10):
        throttle.failed("ada", "a")
    assert throttle.wait("ada", "a") > 0
    assert throttle.wait("ada", "b") == throttle.wait("eve", "a") == 0
    for number in range(30):
        throttle.failed(f"user{number}", "a")
    assert throttle.wait("eve", "a") > 0, "one address tries many accounts"
    for number in range(60):
        throttle.failed("eve", f"address{number}")
    assert throttle.wait("eve", "new") > 0, "many addresses try one account"


def test_the_right_password_forgets_the_wrong_ones(clock: Clock) -> None:
    throttle = Throttle(now=clock)
    for _ in range(10):
        throttle.failed("ada", "a")
    throttle.passed("ada", "a")
    assert throttle.wait("ada", "a") == 0
