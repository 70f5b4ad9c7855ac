"""Security of the served app: who may ask, what a page may load, and that only its own pages may change anything.

There is no login yet, so only this machine may ask: the server binds to loopback, and a request whose Host header names
another machine (a web page that rebinds its own name to 127.0.0.1) is refused.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from dash import Dash
from flask import Response, abort, request

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


def harden(app: Dash) -> None:
    """Set the headers of every answer, and refuse requests for another host; call it after the callbacks are wired."""
    allowed = policy(app)
    app.server.config["TRUSTED_HOSTS"] = list(HOSTS)
    app.server.config["MAX_CONTENT_LENGTH"] = 1_000_000

    @app.server.before_request
    def _own_pages_only() -> None:
        # A page of another origin can't send JSON without asking first, and is not answered; this holds where that fails.
        if request.method in {"GET", "HEAD", "OPTIONS"}:
            return
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
        is_own = origin is None or (
            urlsplit(origin).netloc == request.host and urlsplit(origin).scheme == request.scheme
        )
        if site != "same-origin" or not is_own or request.mimetype != "application/json":
            abort(403)

    @app.server.after_request
    def _headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = allowed
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        if response.mimetype in {"text/html", "application/json"}:
            response.headers["Cache-Control"] = "no-store"
        return response
