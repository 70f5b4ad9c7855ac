"""Who may ask: named bearer tokens with a role, from a file or the environment.

A token's name stands in the history of whatever was done with it. Tokens are compared by their digests, each of them every
time, so that the time of an answer tells nothing about them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.errors import TerminalError
from pipelines.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
#: A token of fewer characters could be found by trying.
_SHORTEST = 32
#: RFC 6750, section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_HOW_TO_WRITE = "write lines of NAME ROLE TOKEN: dashboard operate $(openssl rand -hex 32)"


class Role(StrEnum):
    """What a token is good for."""

    READ = "read"
    #: Reads, and changes the state of incidents.
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; its text stays out of every message."""

    name: str
    role: Role
    secret: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret."""
        return hashlib.sha256(self.secret.encode()).digest()


class Tokens:
    """The tokens that a server takes.

    Examples
    --------
    >>> secret = "0123456789abcdef0123456789abcdef"
    >>> tokens = Tokens.read(f"grafana read {secret}", "tokens")
    >>> tokens.bearer(f"Bearer {secret}")
    Token(name='grafana', role=<Role.READ: 'read'>)
    >>> tokens.bearer("Bearer 0123456789abcdef0123456789abcdeX") is None
    True
    """

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.all = tokens
        self._digests = tuple((token, token.digest) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self.all)

    def named(self, name: str) -> Token | None:
        """Return the token of this name."""
        return next((token for token in self.all if token.name == name), None)

    def bearer(self, authorization: str | None) -> Token | None:
        """Return the token that a request's ``Authorization`` header carries, None where it carries none of ours."""
        scheme, _, secret = (authorization or "").partition(" ")
        given = hashlib.sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for token, digest in self._digests:
            if hmac.compare_digest(digest, given):
                found = token
        return found if scheme.lower() == "bearer" else None

    @classmethod
    def read(cls, text: str, where: str) -> Tokens:
        """Return the tokens of lines ``NAME ROLE TOKEN``; ``#`` begins a comment, and semicolons may stand for ends of lines.

        Raises
        ------
        TerminalError
            A line that is none, a name twice, a token twice, or one that is too short. The line is named, never its token.
        """
        found: list[Token] = []
        for number, line in enumerate(re.split(r"[\n;]", text), 1):
            parts = line.split("#", 1)[0].split()
            if not parts:
                continue
            place = f"{where}:{number}"
            if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
                raise TerminalError("no token", place, _HOW_TO_WRITE)
            name, role, secret = parts
            if role not in list(Role):
                raise TerminalError(f"unknown role of token {name}", place, f"use one of {', '.join(Role)}")
            if len(secret) < _SHORTEST or not _TOKEN.fullmatch(secret):
                what = f"token {name} is too short or has characters that a header can't carry"
                raise TerminalError(what, place, f"at least {_SHORTEST} letters and digits: openssl rand -hex 32")
            if any(name == other.name or secret == other.secret for other in found):
                raise TerminalError(f"token {name} stands there twice, by name or by text", place, "take one out")
            found.append(Token(name, Role(role), secret))
        return cls(tuple(found))


def tokens_of(settings: Settings) -> Tokens:
    """Return the tokens of ``api_tokens`` and of the file ``api_token_file``, none where neither is set.

    Raises
    ------
    TerminalError
        The file can't be read, or has a line that is no token.
    """
    text = settings.api_tokens
    if settings.api_token_file is None:
        return Tokens.read(text, "api_tokens")
    try:
        of_file = settings.api_token_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the tokens can't be read ({type(error).__name__})"
        raise TerminalError(what, str(settings.api_token_file), _HOW_TO_WRITE) from None
    if text:
        raise TerminalError("tokens in both api_tokens and api_token_file", str(settings.api_token_file), "use one")
    return Tokens.read(of_file, str(settings.api_token_file))


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's alone.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "[::1]", "localhost", "0.0.0.0", "::", "example.com")]
    [True, True, True, False, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
