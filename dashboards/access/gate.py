"""The gate: every request has a viewer before anything of the app is asked, or it ends here.

What needs no viewer is the code and the styles of the pages, the sign-in page, and whether the server lives.
"""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, abort, g, make_response, redirect, request

from dashboards.access import trusted
from dashboards.access.options import Access, Login
from dashboards.access.sessions import Sessions, secret_of
from dashboards.access.throttle import Throttle
from dashboards.access.users import User
from dashboards.access.viewer import LOCAL, Viewer
from dashboards.errors import DashboardError
from dashboards.filters import Filters

log = logging.getLogger(__name__)

SIGN_IN, SIGN_OUT, ACCOUNT, END = "/login", "/logout", "/account", "/account/end"
#: Addresses that take forms: what else changes anything takes JSON.
FORMS = frozenset({SIGN_IN, SIGN_OUT, END})

_OPEN = ("/assets/", "/_dash-component-suites/")
_ICON = "/_favicon.ico"
_DEPTH = 4096

#: Inputs of callbacks that a person moves; all others move by themselves, and keep nobody signed in.
_ATTENDED = ("address.", "filter-", "act-", '{"')


def viewer() -> Viewer:
    """Who asks, inside a request that went through the gate.

    Raises
    ------
    AttributeError
        There is no viewer: nothing is shown to nobody.
    """
    return g.viewer


def has_viewer() -> bool:
    """Whether a request went through the gate."""
    return "viewer" in g


class Gate:
    """Decides who asks.

    Parameters
    ----------
    home : Path
        Plumbline's home; keeps the secret and the sessions, where there is a login by password.
    access : Access

    Raises
    ------
    DashboardError
        The secret or the sessions can't be kept.
    """

    def __init__(self, home: Path, access: Access) -> None:
        self.access = access
        self.users = access.users_of(home)
        self.throttle = Throttle()
        self.cookie = "__Host-plumbline" if access.is_https else "plumbline"
        self.sessions: Sessions | None = None
        self._secret = b""
        if access.login is Login.USERS:
            self._secret = secret_of(Path(home) / "dashboard.secret")
            self.sessions = Sessions(
                Path(home) / "dashboard-sessions.sqlite",
                self._secret,
                idle_seconds=access.idle_minutes * 60,
                longest_seconds=access.session_hours * 3600,
            )

    @property
    def has_login(self) -> bool:
        """Whether people have names here."""
        return self.access.login is not Login.NONE

    def install(self, server: Flask) -> None:
        """Let no request of `server` by without a viewer."""
        if self.access.is_behind_proxy:
            server.wsgi_app = trusted.ByHttps(server.wsgi_app, self.access)  # type: ignore[method-assign]
        # First of all: before anything of the app is set up, but after what is refused whoever asks.
        server.before_request_funcs.setdefault(None, []).insert(0, self._check)

    def _check(self) -> Response | None:
        if request.path == "/health":
            return None
        peer = request.environ.get("plumbline.peer", request.remote_addr)
        if self.access.is_behind_proxy and not trusted.is_among(peer, self.access.proxies):
            abort(403)
        is_sign_in = request.path == SIGN_IN and self.sessions is not None
        if is_sign_in or request.path == _ICON or request.path.startswith(_OPEN):
            return None
        found = self._found()
        if found is None:
            return self._stranger()
        g.viewer = found
        return None

    def _found(self) -> Viewer | None:
        if self.access.login is Login.NONE:
            return LOCAL
        if self.access.login is Login.HEADERS:
            return trusted.viewer_of(request.headers.get, self.access.headers)
        user = self.user()
        return user.viewer if user is not None else None

    def user(self) -> User | None:
        """Account that is signed in where the request comes from."""
        token = request.cookies.get(self.cookie)
        if self.sessions is None or not token:
            return None
        return self.sessions.user(token, self.account, is_attended=_is_attended())

    def account(self, name: str) -> User | None:
        """Account of a name; nobody's where the accounts can't be read, which the log tells."""
        try:
            return self.users.get(name)
        except DashboardError as error:
            log.error("%s", error)
            return None

    def _stranger(self) -> Response:
        # What no person opens (an icon that the browser looks for, a script's question) is not led to a page.
        mode = request.headers.get("Sec-Fetch-Mode", "navigate")
        is_page = request.method in {"GET", "HEAD"} and mode == "navigate" and not request.path.startswith("/_dash")
        if self.access.login is Login.HEADERS:
            return _plain("The proxy names nobody who may see this.", 403)
        if not is_page:
            return _plain("Sign in first.", 401)
        leads = SIGN_IN + "?" + urlencode({"next": safe_next(request.full_path)})
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.cookies.get(self.cookie) is None:
            # A strict cookie does not come along with a link on another site, an alert in a chat: one step of our own brings it.
            from dashboards.access.signing import stepping_stone

            return stepping_stone(leads)
        return make_response(redirect(leads, 303))

    def token(self, cookie: str) -> str:
        """What a form must carry that was made for the browser with this cookie."""
        return hmac.new(self._secret, b"form\0" + cookie.encode("utf-8", "surrogateescape"), "sha256").hexdigest()

    def is_token(self, cookie: str | None, given: str | None) -> bool:
        """Whether a form carries it."""
        return bool(cookie) and hmac.compare_digest(self.token(cookie or "").encode(), (given or "").encode())


def safe_next(address: str | None) -> str:
    r"""Page of this dashboard that an address means, with its filters and nothing else; any other address is the first page.

    Examples
    --------
    >>> [safe_next(text) for text in ("/drift?incident=i&x=1", "//evil.example/", r"/\evil.example", "https://evil.example/")]
    ['/drift?incident=i', '/', '/', '/']
    """
    from dashboards.pages.registry import BY_PATH

    try:
        parts = urlsplit((address or "")[:_DEPTH])
    except ValueError:
        return "/"
    path = parts.path.rstrip("/") or "/"
    if parts.scheme or parts.netloc or path not in {*BY_PATH, ACCOUNT}:
        return "/"
    return path + Filters.parse(parts.query).search()


def _is_attended() -> bool:
    """Whether a person asks: opens a page, or moves a control; and not an open page that asks what is new."""
    if request.path != "/_dash-update-component":
        return not request.path.startswith("/_dash")
    asked: Any = request.get_json(silent=True)
    moved = asked.get("changedPropIds") if isinstance(asked, dict) else None
    return isinstance(moved, list) and any(isinstance(name, str) and name.startswith(_ATTENDED) for name in moved)


def _plain(line: str, status: int) -> Response:
    return Response(line + "\n", status, mimetype="text/plain")
