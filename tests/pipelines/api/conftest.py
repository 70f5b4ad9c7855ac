"""A home with incidents, hostile names among them, and the API served on loopback over real HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from pipelines.alerts import store
from pipelines.api.server import address, listening, server_of
from pipelines.commands.context import open_warehouse
from pipelines.settings import Settings
from pipelines.tokens import Tokens
from warehouse import Warehouse

AT = datetime(2026, 9, 10)
HOSTILE = "'; DROP TABLE incidents; --<script>alert(1)</script>\u202e%s{0}"
WORKFLOWS = ("refund-desk", "refund-shop", "onboarding", HOSTILE)
OPERATE, READ = "0123456789abcdef" * 4, "fedcba9876543210" * 4
TOKENS = f"# who may ask\npager operate {OPERATE}\ngrafana read {READ}\n"


def signal(workflow: str, number: int) -> dict[str, Any]:
    at = AT + timedelta(days=number)
    stream = {"workflow": workflow, "family": ("tool", "cost")[number % 2], "metric": "tool_error", "dimension": ""}
    return {
        **stream,
        "kind": "rate",
        "at": at,
        "onset_at": at,
        "log_e": float("inf"),
        "headline": f"{workflow} changed",
        "run_ids": ["r"],
        "detail": json.dumps({"name": workflow}),
    }


@dataclass
class Answer:
    """Status, headers and JSON of one answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """Asks the served API."""

    address: str
    warehouse: Warehouse

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = OPERATE,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        found = Answer(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        )
        connection.close()
        return found

    def get(self, path: str, query: Any = None, token: str | None = OPERATE) -> Answer:
        return self.ask("GET", path + ("?" + urlencode(query, doseq=True) if query else ""), token=token)

    def named(self, workflow: str) -> dict[str, Any]:
        """The incident of a workflow."""
        return next(each for each in self.get("/v1/incidents").json["items"] if each["workflow"] == workflow)

    def post(self, workflow: str, action: str, body: Any = None, token: str = OPERATE) -> Answer:
        path = f"/v1/incidents/{self.named(workflow)['incident_id']}/{action}"
        return self.ask("POST", path, {} if body is None else body, token=token)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an incident of each workflow; tests get copies."""
    home = tmp_path_factory.mktemp("api")
    with open_warehouse(Settings(home=home)) as warehouse:
        store.record([signal(workflow, number) for number, workflow in enumerate(WORKFLOWS)], warehouse)
    return home


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    file = tmp_path / "tokens"
    file.write_text(TOKENS, encoding="utf-8")
    return Settings(home=shutil.copytree(made, tmp_path / "home"), api_token_file=file)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """The API on a home of the test's own."""
    with served(settings) as client:
        yield client


@pytest.fixture(scope="module")
def reader(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The API for tests that change nothing."""
    with served(Settings(home=shutil.copytree(made, tmp_path_factory.mktemp("reader") / "home"))) as client:
        yield client


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[Client]:
    """The API in a thread of this process."""
    with open_warehouse(settings) as warehouse, listening("127.0.0.1", 0) as listener:
        server = server_of(settings, warehouse, Tokens.read(TOKENS, "tokens"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Client(address(listener), warehouse)
        finally:
            server.should_exit = True
            thread.join()
