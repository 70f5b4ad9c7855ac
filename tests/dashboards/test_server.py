"""The served app: loopback only, its own host only, strict headers, one clear error for what can't be served."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dash import html
from flask.testing import FlaskClient

from dashboards import DashboardError, app, create_app, serve
from dashboards.access.readers import Readers
from dashboards.data import Reader
from dashboards.filters import Filters
from dashboards.server import served


@pytest.fixture(scope="module")
def client(home: Path) -> FlaskClient:
    return create_app(home).server.test_client()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])
def test_another_host_is_refused_because_there_is_no_login(home: Path, host: str) -> None:
    with pytest.raises(DashboardError, match="without a login"):
        serve(home, host=host, port=0)


def test_a_taken_port_is_one_clear_error(home: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(DashboardError, match="--port"):
            serve(home, port=holder.getsockname()[1])


def test_every_answer_has_a_strict_policy(client: FlaskClient) -> None:
    for path in ("/", "/_dash-layout", "/assets/theme.js", "/nowhere"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "http" not in policy and "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_first_page_names_no_other_host_to_load_from(client: FlaskClient) -> None:
    text = client.get("/").get_data(as_text=True)
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", text)
    assert 'lang="en"' in text


def test_a_request_in_another_name_is_refused(client: FlaskClient) -> None:
    assert client.get("/", base_url="http://rebound.example").status_code == 400
    assert client.get("/", base_url="http://127.0.0.1:8050").status_code == 200


def test_the_callback_answers_with_the_page(client: FlaskClient) -> None:
    def ask(search: str) -> str:
        question = {
            "output": "..bar.children...heading.children...content.children..",
            "outputs": [{"id": name, "property": "children"} for name in ("bar", "heading", "content")],
            "inputs": [
                {"id": "address", "property": "pathname", "value": "/cost"},
                {"id": "address", "property": "search", "value": search},
                {"id": "revision", "property": "data", "value": None},
            ],
            "changedPropIds": ["address.pathname"],
        }
        answer = client.post("/_dash-update-component", json=question)
        assert answer.status_code == 200
        return json.dumps(answer.get_json())

    assert "claims-triage" in ask("")
    assert "claims-triage" not in ask("?workflow=it-helpdesk&period=7d").split('"content"')[1]


def test_it_is_served_and_stops(home: Path) -> None:
    with served(home) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address + "health", timeout=10) as answer:
            assert answer.status == 200
            assert "Werkzeug" not in (answer.headers["Server"] or "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address + "health", timeout=2)


def test_many_who_ask_for_the_same_page_at_once_cost_one_making_of_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, together = [], threading.Barrier(6, timeout=60)

    def slowly(*_: object, **__: object) -> tuple[html.Div, html.Div, html.Div]:
        made.append(threading.get_ident())
        threading.Event().wait(0.2)
        return html.Div("bar"), html.Div("heading"), html.Div("content")

    monkeypatch.setattr(app, "_made", slowly)
    pages, found = app.Kept(app.Pages(Reader(home))), []

    def ask() -> None:
        together.wait()
        found.append(pages.made("/cost", Filters()))

    crowd = [threading.Thread(target=ask) for _ in range(6)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(made) == 1 and len(found) == 6
    assert all(page == found[0] for page in found)


def test_pages_that_nobody_has_asked_for_wait_for_those_that_somebody_has(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, stop, made, wait = threading.Event(), threading.Event(), [], app._making.wait_for_nobody

    def told(seconds: float) -> bool:
        waits.set()
        return wait(seconds)

    def render(_: object, path: str, __: Filters) -> None:
        made.append(path)
        stop.set()

    monkeypatch.setattr(app, "_READY_SECONDS", 60.0)
    monkeypatch.setattr(app._making, "wait_for_nobody", told)
    monkeypatch.setattr(app, "render", render)
    ready = threading.Thread(target=app.keep_ready, args=(app.Shelf(Readers(home)), stop), daemon=True)
    with app._making:
        ready.start()
        assert waits.wait(60)
        assert not made
    ready.join(60)
    assert made
