"""The accounts: a YAML file of names, password hashes, roles and teams, for its owner's eyes only.

::

    users:
      ada:
        password: scrypt:32768:8:3$…
        role: operator
        teams: [finance, legal]

Without teams an account sees every workflow. Written by ``plumbline dashboard user``, read again whenever it changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dashboards.access.passwords import is_hash
from dashboards.access.viewer import Role, Viewer
from dashboards.errors import DashboardError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_KEYS = {"password", "role", "teams"}
_LONGEST_TEAM = 200
_MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class User:
    """One account.

    Parameters
    ----------
    name : str
    password : str
        Its hash.
    role : Role
    teams : tuple of str
        Teams whose workflows it sees; empty sees all.
    """

    name: str
    password: str = field(repr=False)
    role: Role
    teams: tuple[str, ...] = ()

    @property
    def viewer(self) -> Viewer:
        """Who it is to the pages."""
        return Viewer(self.name, self.role, frozenset(self.teams) or None)


class Users:
    """The accounts of a file, as it is now.

    Parameters
    ----------
    path : Path
        Need not be there: then nobody has an account.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._read: tuple[tuple[int, ...], dict[str, User]] | None = None
        self._lock = threading.Lock()

    def all(self) -> dict[str, User]:
        """Accounts by name.

        Raises
        ------
        DashboardError
            The file can be read by others, or holds what is no account.
        """
        with self._lock:
            try:
                seen = self.path.stat()
            except OSError:
                return {}
            identity = (seen.st_ino, seen.st_mtime_ns, seen.st_size, seen.st_mode)
            if self._read is None or self._read[0] != identity:
                self._read = (identity, _read(self.path, seen))
            return self._read[1]

    def get(self, name: str) -> User | None:
        """Account of this name."""
        return self.all().get(name)

    def change(self, work: Callable[[dict[str, User]], None]) -> None:
        """Let `work` change the accounts, and write them; the file appears whole or not at all, and one writer at a time.

        Raises
        ------
        DashboardError
            As `all`, or the file can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path.with_name(self.path.name + ".lock")):
                users = dict(self.all())
                work(users)
                _write(self.path, users)
        except OSError as error:
            what = "the accounts can't be written"
            raise DashboardError(what, str(self.path), error.strerror or "check its rights") from error


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _write(path: Path, users: dict[str, User]) -> None:
    document = {
        "users": {
            user.name: {"password": user.password, "role": str(user.role), "teams": list(user.teams)}
            for user in sorted(users.values(), key=lambda user: user.name)
        }
    }
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made for its owner alone: 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            yaml.safe_dump(document, opened, sort_keys=False, allow_unicode=True)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path, seen: os.stat_result) -> dict[str, User]:
    if stat.S_IMODE(seen.st_mode) & 0o077:
        raise DashboardError("others may read or write the accounts", str(path), f"chmod 600 {path}")
    try:
        if seen.st_size > _MOST_BYTES:
            raise DashboardError("too large for a file of accounts", str(path), "is it another file?")
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise DashboardError("the accounts can't be read", str(path), type(error).__name__) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DashboardError("not valid YAML", f"{path}:{line}", str(error.problem or "look at it")) from None
    except yaml.YAMLError:
        raise DashboardError("not valid YAML", str(path), "it holds characters that YAML has not") from None
    return {} if root is None else _accounts(path, root)


def _accounts(path: Path, root: yaml.Node) -> dict[str, User]:
    def wrong(node: yaml.Node, what: str, todo: str) -> DashboardError:
        return DashboardError(what, f"{path}:{node.start_mark.line + 1}", todo)

    top = _pairs(root)
    if top is None or [key.value for key, _ in top] != ["users"]:
        raise wrong(
            root, "no file of accounts", "begin it with `users:`, or let `plumbline dashboard user add` make it"
        )
    found: dict[str, User] = {}
    for key, node in _pairs(top[0][1]) or []:
        name, pairs = str(key.value), _pairs(node)
        if not NAME.fullmatch(name):
            raise wrong(key, "no name of an account", "letters, digits and . _ @ + -, at most 64 characters")
        if name in found:
            raise wrong(key, f"account {name} stands there twice", "take one out")
        given = {str(part.value): value for part, value in pairs or []}
        if pairs is None or set(given) - _KEYS or not {"password", "role"} <= set(given):
            raise wrong(node, f"account {name} needs password and role, and may have teams", "nothing else")
        password, role = _scalar(given["password"]), _scalar(given["role"])
        if not is_hash(password):
            todo = f"set it with `plumbline dashboard user passwd {name}`"
            raise wrong(given["password"], f"password of {name} is no scrypt hash", todo)
        if role not in list(Role):
            raise wrong(given["role"], f"unknown role of {name}", f"use one of {', '.join(Role)}")
        teams = _teams(given.get("teams"))
        if teams is None:
            raise wrong(given["teams"], f"teams of {name} are no list of names", "write [finance, legal]")
        found[name] = User(name, password, Role(role), teams)
    return found


def _pairs(node: yaml.Node) -> list[tuple[Any, Any]] | None:
    return node.value if isinstance(node, yaml.MappingNode) else None


def _scalar(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _teams(node: yaml.Node | None) -> tuple[str, ...] | None:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        return None
    teams = tuple(_scalar(item) for item in node.value)
    return teams if all(0 < len(team) <= _LONGEST_TEAM for team in teams) else None
