"""The file of accounts: written for its owner alone, read as it is now, and one clear line for whatever is wrong in it."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from dashboards import DashboardError
from dashboards.access.passwords import hashed, is_password
from dashboards.access.users import User, Users
from dashboards.access.viewer import Role

HASH = "scrypt:32768:8:3$0123456789abcdef012345$" + 64 * "0f"
GOOD = f"users:\n  ada:\n    password: {HASH}\n    role: operator\n    teams: [finance, legal]\n"


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Users:
    file = tmp_path / "users.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return Users(file)


def test_accounts_are_written_for_their_owner_alone_and_read_again(tmp_path: Path) -> None:
    users = Users(tmp_path / "home" / "users.yaml")
    assert users.all() == {}
    ada = User("ada", HASH, Role.OPERATOR, ("finance", "=1+1", "on: [x]"))
    users.change(lambda known: known.update(ada=ada))
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert Users(users.path).all() == {"ada": ada}
    assert ada.viewer.teams == {"finance", "=1+1", "on: [x]"}
    assert User("b", HASH, Role.VIEWER).viewer.teams is None


def test_a_changed_file_holds_at_once(tmp_path: Path) -> None:
    users = written(tmp_path, GOOD)
    assert users.get("ada") is not None
    written(tmp_path, GOOD.replace("ada", "eve"))
    assert users.get("ada") is None and users.get("eve") is not None


def test_changes_at_once_lose_none(tmp_path: Path) -> None:
    def add(name: str) -> None:
        Users(tmp_path / "users.yaml").change(lambda known: known.update({name: User(name, HASH, Role.VIEWER)}))

    threads = [threading.Thread(target=add, args=(f"user{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Users(tmp_path / "users.yaml").all()) == 8


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(DashboardError, match="chmod 600"):
        written(tmp_path, GOOD, mode).all()


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (GOOD.replace("operator", "boss"), 4, "unknown role of ada"),
        (GOOD.replace(HASH, "hunter2hunter2"), 3, "no scrypt hash"),
        (GOOD.replace(HASH, "pbkdf2:sha256:1$aaaaaaaa$00"), 3, "no scrypt hash"),
        (GOOD.replace("[finance, legal]", "finance"), 5, "no list of names"),
        (GOOD.replace("[finance, legal]", "[[finance]]"), 5, "no list of names"),
        (GOOD.replace("ada", '"a b"'), 2, "no name of an account"),
        (GOOD + GOOD.split("\n", 1)[1], 6, "stands there twice"),
        (GOOD.replace("    role: operator\n", ""), 3, "needs password and role"),
        (GOOD + "    colour: red\n", 3, "nothing else"),
        ("accounts: {}\n", 1, "no file of accounts"),
        ("users:\n  ada: [\n", 3, "not valid YAML"),
    ],
)
def test_what_is_no_account_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(DashboardError, match=re.escape(f"users.yaml:{line}")) as caught:
        written(tmp_path, text).all()
    assert what in str(caught.value) and "hunter2" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_password_is_its_own_and_nobody_s_is_none() -> None:
    known = hashed("correct horse battery staple")
    assert is_password("correct horse battery staple", known)
    assert not is_password("correct horse battery stapler", known)
    assert not is_password("nobody has this password", None)
    assert not is_password("", known)
    assert hashed("same") != hashed("same")


def test_a_longer_password_than_any_is_not_its_beginning() -> None:
    assert not is_password("x" * 1025, hashed("x" * 1024))
