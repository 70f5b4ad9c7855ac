"""What a proxy says: who asks, as headers that are believed from the proxy's address and from no other."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from dashboards.access.options import Access, Headers, Network
from dashboards.access.users import NAME
from dashboards.access.viewer import Role, Viewer

_MOST_GROUPS = 1000


def is_among(address: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks.

    Examples
    --------
    >>> from dashboards.access.options import networks
    >>> [is_among(address, networks("10.1.0.0/16")) for address in ("10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1", None)]
    [True, True, False, False]
    """
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in networks)


def client_of(peer: str, forwarded: str, networks: Iterable[Network]) -> str:
    """Address of who asked: the last one that no proxy of ours has, else the peer's.

    Parameters
    ----------
    peer : str
        Address of the connection.
    forwarded : str
        ``X-Forwarded-For``: each proxy adds whom it was asked by at the end; what stands before can be made up.
    networks : iterable of networks
        The proxies.

    Examples
    --------
    >>> from dashboards.access.options import networks
    >>> client_of("10.0.0.5", "192.0.2.9, 198.51.100.7", networks("10.0.0.5"))
    '198.51.100.7'
    """
    known = tuple(networks)
    if not is_among(peer, known):
        return peer
    for part in reversed(forwarded.split(",")):
        try:
            address = str(ipaddress.ip_address(part.strip()))
        except ValueError:
            break
        if not is_among(address, known):
            return address
    return peer


def viewer_of(get: Callable[[str], str | None], headers: Headers) -> Viewer | None:
    """Who a proxy says it is; None where it names nobody, or nobody who may see anything.

    Parameters
    ----------
    get : callable
        Name of a header → its value.
    headers : Headers
        Which headers say what.
    """
    name = (get(headers.user) or "").strip()
    if not NAME.fullmatch(name):
        return None
    role = Role.VIEWER
    if headers.role:
        known = {**{str(role): role for role in Role}, **headers.roles}
        roles = [known[group] for group in _parts(get(headers.role)) if group in known]
        if not roles:
            return None
        role = max(roles, key=list(Role).index)
    if not headers.teams or role is Role.ADMIN:
        return Viewer(name, role)
    teams = frozenset(_parts(get(headers.teams)))
    return Viewer(name, role, teams) if teams else None


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",")[:_MOST_GROUPS] if part.strip()]


class ByHttps:
    """The app as it is asked for through a proxy that ends TLS: by https.

    Parameters
    ----------
    app : callable
        WSGI application.
    access : Access
    """

    def __init__(self, app: Callable[..., Any], access: Access) -> None:
        self._app, self._access = app, access

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Pass a request on, with the scheme and the client's address as they were before the proxy."""
        if self._access.is_behind_proxy:
            peer = environ.get("REMOTE_ADDR", "")
            environ["plumbline.peer"] = peer
            environ["wsgi.url_scheme"] = "https"
            forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
            environ["REMOTE_ADDR"] = client_of(peer, forwarded, self._access.proxies)
        return self._app(environ, start_response)


class WithoutUnderscores:
    """The app without headers whose names hold an underscore: to WSGI they are those with a dash, which the proxy took out.

    Parameters
    ----------
    app : callable
        ASGI application.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if b"_" not in name]}
        await self._app(scope, receive, send)
