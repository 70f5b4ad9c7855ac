"""Signing in, in a real Chromium: who gets in, what they see, when it ends, and what another site can't do."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboards.access.options import Access, Login
from dashboards.desk import Desk
from dashboards.server import served
from tests.browser.conftest import Watched
from tests.dashboards.access.conftest import password, with_accounts
from tests.dashboards.fleet import write_home

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
#: A page takes seconds to make on a busy machine.
expect.set_options(timeout=60_000)
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_accounts(write_home(tmp_path_factory.mktemp("login"), scale=0.2))


@pytest.fixture(scope="module")
def guarded(home: Path) -> Iterator[str]:
    """Address of a dashboard with a login; its incidents can be answered, by an API that is not there."""
    with served(home, Desk("http://127.0.0.1:9", "t" * 32), Access(login=Login.USERS)) as address:
        yield address


def sign_in(page: Page, name: str, secret: str | None = None) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(secret or password(name))
    page.get_by_role("button", name="Sign in").click()


@contextmanager
def another_site(html: str) -> Iterator[str]:
    """A page of another site: to a browser localhost and 127.0.0.1 are two."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_link_leads_through_signing_in_to_its_page_and_signing_out_ends_it(watch: Watch, guarded: str) -> None:
    watched = watch(is_alone=True)
    page = watched.page
    page.goto(guarded + "cost?period=7d")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert watched.is_clean(guarded), (watched.errors, watched.requests)
    sign_in(page, "wilma", "no, not this one")
    expect(page.get_by_role("alert")).to_have_text("That name and password do not fit together.")
    expect(page.get_by_label("Name")).to_have_value("wilma")
    expect(page.get_by_label("Password")).to_be_focused()
    watched.errors.clear()  # Chromium notes the answer 401
    sign_in(page, "wilma")
    expect(page).to_have_url(guarded + "cost?period=7d")
    watched.settled()
    expect(page.locator("#content")).to_contain_text("contract-review")
    assert page.evaluate("document.cookie") == "", "no script sees the session"
    page.get_by_role("link", name="wilma").click()
    expect(page.get_by_role("heading", name="wilma")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(guarded)
    expect(page).to_have_url(re.compile(r"/login\?next="))
    assert watched.is_clean(guarded), (watched.errors, watched.requests)


def test_an_open_page_whose_session_ended_leads_to_signing_in_and_back(watch: Watch, guarded: str, home: Path) -> None:
    watched = watch(is_alone=True)
    page = watched.page
    page.goto(guarded + "drift?period=7d")
    sign_in(page, "wilma")
    watched.settled()
    with sqlite3.connect(home / "dashboard-sessions.sqlite") as base:
        base.execute("DELETE FROM sessions")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fdrift%3Fperiod%3D7d"), timeout=60_000)
    sign_in(page, "wilma")
    expect(page).to_have_url(guarded + "drift?period=7d")


def test_a_team_s_viewer_sees_its_workflows_and_may_answer_nothing(watch: Watch, guarded: str) -> None:
    watched = watch(is_alone=True)
    page = watched.page
    page.goto(guarded)
    sign_in(page, "felix")
    watched.settled()
    for path in ("", "cost", "releases", "drift?incident=inc-0001"):
        watched.goto(guarded + path)
        expect(page.locator("#content")).to_contain_text("invoice-matching")
        assert not re.search("contract-review|it-helpdesk|claims-triage|customer-refunds", page.content())
    expect(page.locator("#incident")).to_be_visible()
    expect(page.locator("button.do")).to_have_count(0)
    page.click("#filter-workflow")
    expect(page.locator(".dash-dropdown-option")).to_have_count(3)
    watched.goto(guarded + "drift?incident=inc-0002")
    expect(page.locator("#incident")).to_have_count(0)
    assert watched.is_clean(guarded), (watched.errors, watched.requests)


def test_an_operator_answers_without_typing_a_name(watch: Watch, guarded: str) -> None:
    watched = watch(is_alone=True)
    page = watched.page
    page.goto(guarded + "drift?incident=inc-0001")
    sign_in(page, "otto")
    watched.settled()
    expect(page.get_by_label("Your name")).to_have_count(0)
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("#told")).to_contain_text("does not answer at http://127.0.0.1:9", timeout=60_000)


def test_an_administrator_ends_the_session_of_another(watch: Watch, guarded: str) -> None:
    theirs, own = watch(is_alone=True), watch(is_alone=True)
    theirs.page.goto(guarded + "account")
    sign_in(theirs.page, "felix")
    expect(theirs.page.get_by_text("workflows of finance")).to_be_visible()
    own.page.goto(guarded + "account")
    sign_in(own.page, "ada")
    expect(own.page.get_by_role("heading", name="Accounts")).to_be_visible()
    buttons = own.page.get_by_role("button", name=re.compile("End the session of felix"))
    for left in range(buttons.count() - 1, -1, -1):
        buttons.first.click()
        expect(buttons).to_have_count(left)
    theirs.page.reload()
    expect(theirs.page.get_by_role("heading", name="Sign in")).to_be_visible()
    own.page.set_viewport_size({"width": 390, "height": 900})
    assert own.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_another_site_signs_nobody_in_or_out_and_its_link_opens_the_page(watch: Watch, guarded: str) -> None:
    watched = watch(is_alone=True)
    page = watched.page
    page.goto(guarded)
    sign_in(page, "wilma")
    watched.settled()
    forms = "".join(
        f'<form id="{name}" method="post" action="{guarded}{path}">'
        f'<input name="name" value="ada"><input name="password" value="{password("ada")}"><input name="token" value="x"></form>'
        for name, path in (("in", "login"), ("out", "logout"))
    )
    with another_site(f'<a href="{guarded}drift?incident=inc-0001">alert</a>{forms}') as elsewhere:
        for name in ("in", "out"):
            page.goto(elsewhere)
            with page.expect_navigation() as led:
                page.evaluate(f"document.getElementById('{name}').submit()")
            assert led.value is not None and led.value.status == 403
        page.goto(elsewhere)
        page.get_by_role("link", name="alert").click()
        expect(page).to_have_url(guarded + "drift?incident=inc-0001")
        expect(page.locator("#incident")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("link", name="wilma")).to_be_visible()
        page.goto(elsewhere)
        page.set_content(f'<iframe src="{guarded}login"></iframe>')
        page.wait_for_timeout(500)
        assert all("Sign in" not in frame.content() for frame in page.frames if frame != page.main_frame)


def test_the_sign_in_page_fits_a_phone_in_light_and_dark(watch: Watch, guarded: str) -> None:
    watched = watch(390, is_alone=True)
    page = watched.page
    page.goto(guarded + "login")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(GROUND) == "rgb(246, 247, 249)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(GROUND) == "rgb(13, 18, 23)"
    for part in (page.get_by_label("Name"), page.get_by_label("Password"), page.get_by_role("button", name="Sign in")):
        box = part.bounding_box()
        assert box is not None and box["height"] >= 44
    assert watched.is_clean(guarded), (watched.errors, watched.requests)


def test_by_tls_of_its_own(chrome, home: Path, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    own = trustme.CA().issue_cert("127.0.0.1", "localhost")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
    key.write_bytes(own.private_key_pem.bytes())
    access = Access(login=Login.USERS, certificate=certificate, key=key)
    with served(home, access=access) as address:
        assert address.startswith("https://")
        context = chrome.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.goto(address)
        sign_in(page, "wilma")
        expect(page.locator("#content")).to_contain_text("contract-review", timeout=60_000)
        cookies = {cookie["name"]: cookie for cookie in context.cookies()}
        assert cookies["__Host-plumbline"]["secure"] and cookies["__Host-plumbline"]["httpOnly"]
        context.close()


def test_hostile_names_stay_text_however_long(watch: Watch, tmp_path: Path) -> None:
    long = "\u202e<script>pwned()</script>" + "x" * 1_000_000
    formula = '=HYPERLINK("http://evil.example","\u2067click")'
    home = write_home(tmp_path, scale=0.05, rename={"invoice-matching": long, "it-helpdesk": formula})
    with served(home) as address:
        watched = watch(is_alone=True)
        for path in ("", "cost", "drift?incident=inc-0001", "releases"):
            page = watched.goto(address + path)
            text = page.inner_text("#content")
            assert "\u202e" not in text and "\u2067" not in text
            assert "<script>pwned()" in text
            assert page.locator("#content script").count() == 0
            assert len(page.content()) < 1_000_000, "a name of a megabyte is cut"
            assert page.evaluate("document.documentElement.scrollWidth") <= 1440
        assert watched.is_clean(address), (watched.errors, watched.requests)
