"""The pages on which people sign in and out, and see their account: plain HTML from templates, without a script of their own."""

from __future__ import annotations

import logging
import math
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask, Response, abort, make_response, redirect, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards import text
from dashboards.access.gate import ACCOUNT, END, SIGN_IN, SIGN_OUT, Gate, safe_next, viewer
from dashboards.access.options import Login
from dashboards.access.passwords import is_password
from dashboards.access.users import NAME
from dashboards.access.viewer import Role

log = logging.getLogger(__name__)

_ASSETS = Path(__file__).parents[1] / "assets"
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_WRONG = "That name and password do not fit together."


def install(server: Flask, gate: Gate) -> None:
    """Add the pages to `server`: those of a login by password where there is one, and the account's where there is any."""
    if gate.access.login is Login.USERS:
        server.add_url_rule(SIGN_IN, "sign_in", lambda: _sign_in(gate), methods=["GET", "POST"])
        server.add_url_rule(SIGN_OUT, "sign_out", lambda: _sign_out(gate), methods=["POST"])
        server.add_url_rule(END, "end_session", lambda: _end(gate), methods=["POST"])
    if gate.has_login:
        server.add_url_rule(ACCOUNT, "account", lambda: _account(gate))


def stepping_stone(leads: str) -> Response:
    """A page that leads on by itself, from an address of our own."""
    return _page("stone.html", leads=leads)


def _sign_in(gate: Gate) -> Response:
    if request.method == "GET":
        leads = safe_next(request.args.get("next"))
        if gate.user() is not None:
            return make_response(redirect(leads, 303))
        return _form(gate, leads)
    leads = safe_next(request.form.get("next"))
    if not gate.is_token(request.cookies.get(_form_cookie(gate)), request.form.get("token")):
        return _form(gate, leads, "This page was too old, or your browser keeps no cookies. Try again.", 403)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    address = request.remote_addr or ""
    wait = gate.throttle.wait(name, address)
    if wait > 0:
        answer = _form(
            gate, leads, f"Too many tries. Wait {text.lasted(timedelta(seconds=math.ceil(wait)))}, then try again.", 429
        )
        answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer
    # Counted before it is known to be wrong: tries at once are counted as tries one after another.
    gate.throttle.failed(name, address)
    user = gate.account(name) if NAME.fullmatch(name) else None
    if not is_password(password, user.password if user else None) or user is None:
        log.warning("sign-in refused: %s from %s", text.plain(name, 64), text.plain(address, 64))
        return _form(gate, leads, _WRONG, 401)
    gate.throttle.passed(name, address)
    old = request.cookies.get(gate.cookie)
    assert gate.sessions is not None
    if old:
        gate.sessions.end(old)
    log.info("signed in: %s from %s", user.name, text.plain(address, 64))
    answer = make_response(redirect(leads, 303))
    _set(gate, answer, gate.cookie, gate.sessions.begin(user, address))
    answer.delete_cookie(_form_cookie(gate), secure=gate.access.is_https, httponly=True, samesite="Strict")
    return answer


def _form(gate: Gate, leads: str, told: str = "", status: int = 200) -> Response:
    # One that is there stays: the forms of other tabs were made for it.
    cookie = request.cookies.get(_form_cookie(gate)) or secrets.token_urlsafe(32)
    name = "" if status == 200 else request.form.get("name", "").strip()
    answer = _page(
        "login.html",
        status,
        token=gate.token(cookie),
        leads=leads,
        told=told,
        name=name if NAME.fullmatch(name) else "",
        where=SIGN_IN,
    )
    _set(gate, answer, _form_cookie(gate), cookie)
    return answer


def _sign_out(gate: Gate) -> Response:
    cookie = _own_form(gate)
    assert gate.sessions is not None
    gate.sessions.end(cookie)
    answer = make_response(redirect(SIGN_IN, 303))
    answer.delete_cookie(gate.cookie, secure=gate.access.is_https, httponly=True, samesite="Strict")
    return answer


def _end(gate: Gate) -> Response:
    _own_form(gate)
    if viewer().role is not Role.ADMIN:
        abort(403)
    assert gate.sessions is not None
    gate.sessions.end_of(request.form.get("key", ""))
    return make_response(redirect(ACCOUNT, 303))


def _own_form(gate: Gate) -> str:
    cookie = request.cookies.get(gate.cookie)
    if cookie is None or not gate.is_token(cookie, request.form.get("token")):
        abort(403)
    return cookie


def _account(gate: Gate) -> Response:
    who = viewer()
    is_admin = who.role is Role.ADMIN and gate.sessions is not None
    sessions = gate.sessions.all() if gate.sessions is not None and is_admin else []
    return _page(
        "account.html",
        who=who,
        teams=sorted(text.plain(team, 60) for team in who.teams) if who.teams is not None else None,
        token=gate.token(request.cookies.get(gate.cookie, "")) if gate.sessions is not None else "",
        users=[
            (user.name, str(user.role), ", ".join(text.plain(team, 60) for team in user.teams) or "all")
            for user in gate.users.all().values()
        ]
        if is_admin
        else [],
        sessions=[
            (one.key, one.name, text.plain(one.address, 60), _when(one.began_at), _when(one.seen_at))
            for one in sessions
        ],
        is_admin=is_admin,
        sign_out=SIGN_OUT,
        end=END,
    )


def _when(seconds: float) -> str:
    return text.when(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))


def _page(template: str, status: int = 200, **values: object) -> Response:
    styles = [f"/assets/{file.name}" for file in sorted(_ASSETS.glob("*.css"))]
    answer = make_response(_TEMPLATES.get_template(template).render(styles=styles, **values), status)
    answer.headers["Content-Security-Policy"] = _POLICY
    # With no-referrer a form of our own would come from origin null, as a stranger's does.
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _form_cookie(gate: Gate) -> str:
    return f"{gate.cookie}-form"


def _set(gate: Gate, answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, secure=gate.access.is_https, httponly=True, samesite="Strict", path="/")
