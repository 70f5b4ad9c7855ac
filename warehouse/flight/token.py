"""Who may ask: one token per home, shown as a bearer token or as the password of any user name."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyarrow import flight

from warehouse.errors import WarehouseError

_SHORTEST = 16


def token_of(file: Path, given: str = "") -> str:
    """The token: `given`, else that of `file`, which is made with a new one, for its owner's eyes only.

    Raises
    ------
    WarehouseError
        If it is too short to be one, or the file can't be written.
    """
    token, where = given, "sql_token"
    if not token:
        where = str(file)
        try:
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                    opened.write(secrets.token_urlsafe(32) + "\n")
            token = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise WarehouseError(
                "the token can't be kept there", where, error.strerror or "check its rights"
            ) from error
    if len(token) < _SHORTEST:
        raise WarehouseError(f"the token is shorter than {_SHORTEST} characters", where, "take a longer one")
    return token


class TokenCheck(flight.ServerMiddlewareFactory):
    """Lets a call through that carries the token, before anything of it is read."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def start_call(self, info: Any, headers: dict[str, Sequence[str]]) -> flight.ServerMiddleware:
        """Return what answers the call's headers, or raise FlightUnauthenticatedError."""
        for value in headers.get("authorization", ()):
            scheme, _, shown = value.partition(" ")
            if scheme.lower() == "basic":
                try:
                    # Go's client, which is ADBC's, leaves the padding out.
                    shown = base64.b64decode(shown + "=" * (-len(shown) % 4), validate=True).decode().partition(":")[2]
                except (binascii.Error, UnicodeDecodeError):
                    continue
            elif scheme.lower() != "bearer":
                continue
            if hmac.compare_digest(shown.encode(), self._token):
                return _Bearer(self._token.decode())
        raise flight.FlightUnauthenticatedError("the token is missing or wrong: give it as password or bearer token")


class _Bearer(flight.ServerMiddleware):
    """Answers a handshake by password with the header that the client sends from then on."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}


class OpenHandshake(flight.ServerAuthHandler):
    """Lets the handshake end: `TokenCheck` has judged it already."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Ask nothing more."""

    def is_valid(self, token: bytes) -> bytes:
        """Every caller that came so far is one."""
        return b""
