"""Who is signed in: random tokens in cookies, and their digests in a small SQLite file of the home.

A session ends when its person signs out or has done nothing for a while, a set time after it began, and when the account's
password, role or teams change. It outlives a restart. Whoever reads the file can't sign in with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dashboards.access.users import User
from dashboards.errors import DashboardError

_SQL = Path(__file__).parent / "sql" / "sessions.sql"

# What is noted of the time a person was seen is as coarse as this, in seconds: a page asks for many things at once.
_NOTED_EVERY = 60.0
# Sessions that an account may have at once; a new one ends the oldest.
_MOST_OF_ONE = 20


@dataclass(frozen=True, slots=True)
class Session:
    """One session as an administrator sees it; times in seconds since 1970."""

    key: str
    name: str
    began_at: float
    seen_at: float
    address: str


def secret_of(file: Path) -> bytes:
    """The server's own secret, made on first use, for its owner's eyes only.

    Raises
    ------
    DashboardError
        It can't be kept there, others may read it, or it is too short to be one.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
                opened.write(secrets.token_hex(32) + "\n")
        except FileExistsError:
            pass
        if file.stat().st_mode & 0o077:
            raise DashboardError("others may read the secret of the dashboard", str(file), f"chmod 600 {file}")
        secret = file.read_bytes().strip()
    except OSError as error:
        raise DashboardError(
            "the secret can't be kept there", str(file), error.strerror or "check its rights"
        ) from error
    if len(secret) < 32:
        raise DashboardError(
            "the secret of the dashboard is too short", str(file), "remove the file: a new one is made"
        )
    return secret


class Sessions:
    """The sessions of a home.

    Parameters
    ----------
    file : Path
        Made when it is not there, readable by its owner alone.
    secret : bytes
        Keys the fingerprints of accounts.
    idle_seconds, longest_seconds : float
        A session ends when nobody did anything for so long, and so long after it began.
    now : callable
        Seconds since 1970.

    Raises
    ------
    DashboardError
        The file can't be used.
    """

    def __init__(
        self,
        file: Path,
        secret: bytes,
        *,
        idle_seconds: float = 3600.0,
        longest_seconds: float = 12 * 3600.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._secret, self._now = secret, now
        self.idle_seconds, self.longest_seconds = idle_seconds, longest_seconds
        self._lock = threading.Lock()
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            if file.stat().st_mode & 0o077:
                raise DashboardError("others may read who is signed in", str(file), f"chmod 600 {file}")
            self._base = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._base.executescript(_SQL.read_text(encoding="utf-8"))
        except (OSError, sqlite3.Error) as error:
            raise DashboardError("the sessions can't be kept there", str(file), str(error)) from error

    def begin(self, user: User, address: str) -> str:
        """Token of a new session of `user`; what has expired goes."""
        token, now = secrets.token_urlsafe(32), self._now()
        values = (_digest(token), user.name, self._fingerprint(user), now, now, address[:64])
        with self._lock:
            self._base.execute(
                "DELETE FROM sessions WHERE seen_at <= ? OR began_at <= ?",
                (now - self.idle_seconds, now - self.longest_seconds),
            )
            self._base.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", values)
            self._base.execute(
                "DELETE FROM sessions WHERE name = ? AND digest NOT IN "
                "(SELECT digest FROM sessions WHERE name = ? ORDER BY began_at DESC LIMIT ?)",
                (user.name, user.name, _MOST_OF_ONE),
            )
        return token

    def user(self, token: str, account: Callable[[str], User | None], *, is_attended: bool) -> User | None:
        """Account whose session `token` is; None where it is none, has ended, or the account is another by now.

        Parameters
        ----------
        token : str
            Value of the cookie.
        account : callable
            Name → account as it is now.
        is_attended : bool
            Whether a person asks, and not an open page by itself: only that keeps a session from ending.
        """
        digest, now = _digest(token), self._now()
        with self._lock:
            row = self._base.execute(
                "SELECT name, fingerprint, began_at, seen_at FROM sessions WHERE digest = ?", (digest,)
            ).fetchone()
        if row is None:
            return None
        name, fingerprint, began_at, seen_at = row
        user = account(name)
        is_over = now >= seen_at + self.idle_seconds or now >= began_at + self.longest_seconds
        if is_over or user is None or not hmac.compare_digest(fingerprint, self._fingerprint(user)):
            self._end(digest)
            return None
        if is_attended and now - seen_at >= min(_NOTED_EVERY, self.idle_seconds / 4):
            with self._lock:
                self._base.execute("UPDATE sessions SET seen_at = ? WHERE digest = ?", (now, digest))
        return user

    def end(self, token: str) -> None:
        """End the session of a token."""
        self._end(_digest(token))

    def end_of(self, key: str) -> None:
        """End the session of a `Session.key`."""
        try:
            self._end(bytes.fromhex(key))
        except ValueError:
            return

    def all(self) -> list[Session]:
        """Sessions that have not ended, the latest seen first."""
        now = self._now()
        with self._lock:
            rows = self._base.execute(
                "SELECT digest, name, began_at, seen_at, address FROM sessions WHERE seen_at > ? AND began_at > ? "
                "ORDER BY seen_at DESC, name",
                (now - self.idle_seconds, now - self.longest_seconds),
            ).fetchall()
        return [Session(digest.hex(), *rest) for digest, *rest in rows]

    def close(self) -> None:
        """Close the file; later calls fail."""
        with self._lock:
            self._base.close()

    def _end(self, digest: bytes) -> None:
        with self._lock:
            self._base.execute("DELETE FROM sessions WHERE digest = ?", (digest,))

    def _fingerprint(self, user: User) -> bytes:
        text = json.dumps([user.name, user.password, str(user.role), sorted(user.teams)])
        return hmac.digest(self._secret, b"account\0" + text.encode(), "sha256")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
