"""Security of the served app: who may ask, what a page may load, and that only its own pages may change anything.

A request whose Host header names anything but this server (a web page that rebinds its own name to this address) is refused. Who
asks is the matter of `dashboards.access`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence, Set
from urllib.parse import urlsplit

from dash import Dash
from flask import Response, abort, request
from werkzeug.exceptions import BadRequest

HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine's loopback address or name.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.com")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def policy(app: Dash) -> str:
    """Content-Security-Policy of the app: its own scripts and the hashes of Dash's inline ones, and no other host.

    Styles need ``unsafe-inline``: Plotly and Dash place marks with style attributes.
    """
    scripts = " ".join(["'self'", *app.csp_hashes()])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def harden(app: Dash, hosts: Sequence[str] = HOSTS, *, forms: Set[str] = frozenset(), is_https: bool = False) -> None:
    """Set the headers of every answer, and refuse requests for another host; call it after the callbacks are wired.

    Parameters
    ----------
    app : Dash
    hosts : sequence of str
        Hosts that a request may name.
    forms : set of str
        Addresses that take forms of our own pages; every other takes JSON.
    is_https : bool
        Whether browsers reach it by https: then they are told to come by nothing else.
    """
    allowed = policy(app)
    app.server.config["TRUSTED_HOSTS"] = list(hosts)
    app.server.config["MAX_CONTENT_LENGTH"] = 1_000_000

    def _own_pages_only() -> None:
        # Flask notes a host that is none of ours, and would refuse it after all that comes before an answer.
        if isinstance(request.routing_exception, BadRequest):
            raise request.routing_exception
        # A page of another origin can't send JSON without asking first, and is not answered; this holds where that fails.
        if request.method in {"GET", "HEAD", "OPTIONS"}:
            return
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
        is_own = origin is None or (
            urlsplit(origin).netloc == request.host and urlsplit(origin).scheme == request.scheme
        )
        kind = "application/x-www-form-urlencoded" if request.path in forms else "application/json"
        if site != "same-origin" or not is_own or request.mimetype != kind:
            abort(403)

    # Before Dash's own, which sets the app up.
    app.server.before_request_funcs.setdefault(None, []).insert(0, _own_pages_only)

    @app.server.after_request
    def _headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", allowed)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        if is_https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        if response.mimetype in {"text/html", "text/plain", "application/json"}:
            response.headers["Cache-Control"] = "no-store"
        return response
