"""Fixtures of the whole suite: the real Kafka broker, and the shared real data."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pipelines.broker import Broker, available, create_topics
from pipelines.errors import PlumblineError
from warehouse import Warehouse, migrate
from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY

# No library reports home from a test run; the product's own configuration says the same.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
# A test's result must not depend on the settings of whoever runs it; these two say how the suite runs.
KEPT = ("PLUMBLINE_REQUIRE_KAFKA", "PLUMBLINE_SCREENSHOTS")
for _name in [name for name in os.environ if name.startswith("PLUMBLINE_") and name not in KEPT]:
    del os.environ[_name]
# Analysts' commands would wait for the other tests until their bounds end.
os.environ["PLUMBLINE_QUERY_NICE"] = "0"

SHARED_DATA = (Path(__file__).resolve().parents[1] / "../shared/data").resolve()
KAFKA_REQUIRED = os.environ.get("PLUMBLINE_REQUIRE_KAFKA", "") not in ("", "0")
_topic_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Kafka:
    """The session's broker.

    Attributes
    ----------
    bootstrap_servers : str
        ``127.0.0.1:port``.
    home : Path
        The home that it was started in.
    """

    bootstrap_servers: str
    home: Path

    def topic(self, partitions: int = 1, prefix: str = "test") -> str:
        """Return the name of a new, empty topic: tests share the broker, never a topic."""
        name = f"{prefix}-{os.getpid()}-{next(_topic_numbers)}"
        create_topics(self.bootstrap_servers, {name: partitions})
        return name


def pytest_report_header() -> list[str]:
    """Say which broker the tests use, and where the real data is."""
    kafka = available()
    without = "FAIL (PLUMBLINE_REQUIRE_KAFKA)" if KAFKA_REQUIRED else "are skipped"
    broker = kafka.how if kafka.ok else f"none; tests that need one {without}: {kafka.reason}"
    data = "present" if SHARED_DATA.is_dir() else "absent; tests that read it are skipped"
    return [f"broker: {broker}", f"shared data: {data}"]


@pytest.fixture(scope="session")
def kafka_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the session's broker."""
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="session")
def kafka(kafka_home: Path) -> Iterator[Kafka]:
    """A real Kafka of its own for this session, stopped at its end."""
    availability = available()
    if not availability.ok:
        _give_up(availability.reason)
    broker = Broker(kafka_home)
    try:
        address = broker.start(port=0)
    except PlumblineError as error:
        _give_up(str(error))
    try:
        yield Kafka(address, kafka_home)
    finally:
        broker.stop()


@pytest.fixture(scope="session", autouse=True)
def new_warehouses_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """A warehouse that is opened where none is begins as a copy of an empty one: migrating it takes a second.

    The first that is opened makes the empty one, as a user's is made.
    """
    opened, migrations = vars(Warehouse)["open"].__func__, migrate.migrations

    @functools.cache
    def empty() -> Path:
        path = tmp_path_factory.mktemp("template") / "warehouse"
        opened(Warehouse, path).close()
        return path

    def open_(cls: type[Warehouse], path: Path, **options: Any) -> Warehouse:
        is_new = not options.get("read_only") and not Path(path).exists()
        if is_new and migrate.migrations is migrations:
            shutil.copytree(empty(), path)
            # Other clients read where the data lies from the catalog.
            with closing(sqlite3.connect(Path(path) / CATALOG_FILE)) as catalog, catalog:
                data = f"{Path(path).absolute() / DATA_DIRECTORY}/"
                catalog.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'", [data])
        return opened(cls, path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "open", classmethod(open_))
        yield empty


@pytest.fixture(scope="session")
def template(new_warehouses_are_copies: Callable[[], Path]) -> Path:
    """An empty, closed warehouse."""
    return new_warehouses_are_copies()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real traces beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data beside the checkout ({SHARED_DATA.parent.name}/{SHARED_DATA.name})")
    return SHARED_DATA


def _give_up(reason: str) -> NoReturn:
    if KAFKA_REQUIRED:
        pytest.fail(f"Kafka is required (PLUMBLINE_REQUIRE_KAFKA) but: {reason}", pytrace=False)
    pytest.skip(f"no Kafka: {reason}")
