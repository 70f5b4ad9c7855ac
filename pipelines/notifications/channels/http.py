"""The one way that channels speak HTTP: time limits, no redirects, verified certificates, bounded answers, one verdict.

Nothing is tried twice here: the outbox does that, by the verdict.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NameResolutionError

from pipelines.contracts.channels import HttpEntry
from pipelines.errors import TerminalError
from pipelines.notifications.answers import answer
from pipelines.notifications.channels.deadline import Deadline
from pipelines.notifications.message import Answer, Verdict

#: As much of an answer's body is read, in bytes; more would be cut off the log anyway.
_MOST_BYTES = 64 * 1024
#: No receiver may put a message off for longer than this, in seconds.
_LONGEST_WAIT = 24 * 3600.0
_AGENT = "plumbline"


@dataclass(frozen=True, slots=True)
class Reply:
    """One exchange.

    Attributes
    ----------
    answer : Answer
    status : int or None
        None where no answer came.
    text : str
        What the answer's body said, as far as it was read.
    """

    answer: Answer
    status: int | None = None
    text: str = ""


class Http:
    """A connection to one receiver, used by one thread at a time.

    Parameters
    ----------
    entry : HttpEntry
        Time limit and authorities.
    secrets : sequence of str
        What must never appear in an answer's line.
    where : str
        For errors.

    Raises
    ------
    TerminalError
        The file of authorities can't be used.
    """

    def __init__(self, entry: HttpEntry, secrets: Sequence[str], where: str) -> None:
        self._timeout = entry.timeout_seconds
        self._secrets = tuple(secrets)
        self._verify: bool | str = True
        if entry.ca_file is not None:
            try:
                ssl.create_default_context(cafile=str(entry.ca_file))
            except (OSError, ssl.SSLError):
                todo = f"make {entry.ca_file} a readable PEM file of certificates"
                raise TerminalError("ca_file can't be used", where, todo) from None
            self._verify = str(entry.ca_file)
        self._adapter = _Noting()
        self._session = requests.Session()
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", self._adapter)
        # A body is never unpacked: what a few bytes could unpack to has no bound.
        self._session.headers.update({"User-Agent": _AGENT, "Accept-Encoding": "identity"})
        # Without this the library would look for a login of this host in ~/.netrc.
        self._session.auth = lambda request: request

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Send JSON and return what was answered."""
        return self._exchange(
            "POST", url, _MOST_BYTES, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        )

    def get(self, url: str, most_bytes: int, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask, and return what was answered, at most so many bytes of it."""
        return self._exchange("GET", url, most_bytes, None, dict(headers or {}))

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _exchange(
        self, method: str, url: str, most_bytes: int, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        # Each wait has its limit, and all of them together: a receiver that sends a byte now and then would never end.
        with Deadline(2 * self._timeout, lambda: self._adapter.socket) as deadline:
            try:
                response = self._session.request(
                    method,
                    url,
                    data=body,
                    headers=dict(headers),
                    timeout=self._timeout,
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,
                )
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                return Reply(self._failed(error, deadline.expired))
            with response:
                if deadline.expired:
                    # Cut while the headers came, which the library takes for their end.
                    return Reply(self._retry(f"no answer within {self._timeout:g} s"))
                try:
                    text = response.raw.read(most_bytes, decode_content=False).decode("utf-8", "replace")
                except (HTTPError, OSError):
                    text = ""  # the status has been said: it counts
        return Reply(
            verdict(response.status_code, response.headers, text, datetime.now(UTC), self._secrets),
            response.status_code,
            text,
        )

    def _failed(self, error: Exception, expired: bool) -> Answer:
        if expired or isinstance(error, requests.ReadTimeout):
            return self._retry(f"no answer within {self._timeout:g} s")
        if isinstance(error, requests.ConnectTimeout):
            return self._retry(f"no connection within {self._timeout:g} s")
        causes = _causes(error)
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                todo = "set ca_file to the authority that signed it, or have it renewed"
                return self._retry(f"certificate refused ({cause.verify_message}): {todo}")
            if isinstance(cause, ssl.SSLError):
                return self._retry(f"TLS failed ({cause.reason or 'no reason given'})")
            if isinstance(cause, (socket.gaierror, NameResolutionError)):
                return self._retry("unknown host")
            if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
                return self._retry(cause.strerror.lower())
        if isinstance(error, requests.ConnectionError):
            return self._retry("the connection was closed without an answer")
        if isinstance(error, ValueError):
            # Address or headers that the library refuses: the same tomorrow.
            return answer(Verdict.REJECTED, f"can't be sent ({type(error).__name__})", self._secrets)
        return self._retry(f"the exchange failed ({type(error).__name__})")

    def _retry(self, said: str) -> Answer:
        return answer(Verdict.RETRY, said, self._secrets)


def verdict(status: int, headers: Mapping[str, str], text: str, now: datetime, secrets: Sequence[str] = ()) -> Answer:
    """Return what a status of HTTP means for the outbox.

    2xx is delivered; 408, 425, 429 and 5xx may be taken later, and ``Retry-After`` says when; a redirect and every other
    status are final: a signed message goes to the address that its entry names and to no other, of the same host neither.

    Examples
    --------
    >>> verdict(429, {"Retry-After": "7"}, "slow down", datetime.now(UTC))
    Answer(verdict=<Verdict.RETRY: 'retry'>, said='HTTP 429: slow down', retry_after_seconds=7.0)
    """
    said = f"HTTP {status}" + (f": {text}" if text.strip() else "")
    if 200 <= status < 300:
        return answer(Verdict.DELIVERED, said, secrets)
    if 300 <= status < 400:
        place = _host(headers.get("Location", "")) or "another address of the same host"
        todo = f"it redirects to {place}, which is not followed: name the receiver's own address in the entry"
        return answer(Verdict.REJECTED, f"HTTP {status}: {todo}", secrets)
    if status in (408, 425, 429) or status >= 500:
        return answer(Verdict.RETRY, said, secrets, retry_after(headers.get("Retry-After"), now))
    return answer(Verdict.REJECTED, said, secrets)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks to wait, from 0 to a day; None where it says nothing readable.

    References
    ----------
    RFC 9110, section 10.2.3: a number of seconds, or a date.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        # More digits than a float can have are a long time all the same.
        return min(float(value[:20]), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return min(max((at - now).total_seconds(), 0.0), _LONGEST_WAIT)
    except (ValueError, TypeError, IndexError, OverflowError):
        # What the library raises for a text that is no date.
        return None


def host_of(url: str, where: str, *, secret: bool) -> str:
    """Return the host of an address.

    Parameters
    ----------
    secret : bool
        Whether a secret travels there: then clear text is for this machine alone.

    Raises
    ------
    TerminalError
        No address, or clear text for a secret.
    """
    host = _host(url)
    scheme = url.partition(":")[0].lower()
    if host is None or scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise TerminalError("not an address", where, "give one like https://host/path")
    if secret and scheme == "http" and not is_loopback(host):
        raise TerminalError("a secret would travel in clear text", where, "use https")
    return host


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it wraps, the innermost first: what the operating system said, not the library's retelling."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.insert(0, one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found


class _Noting(HTTPAdapter):
    """An adapter that knows the socket in use."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not hasattr(pool.ConnectionCls, "noted_by"):
            pool.ConnectionCls = _noted(pool.ConnectionCls, self)
        return pool


def _noted(base: Any, adapter: _Noting) -> Any:
    """Return a class of connections that tell the adapter which socket they use."""

    class Noted(base):
        noted_by = adapter

        def connect(self) -> None:
            super().connect()
            adapter.socket = self.sock

    return Noted
