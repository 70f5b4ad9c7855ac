"""A home with a small seeded fleet, made once, and what the dashboards read from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.data import Reader, View
from dashboards.filters import Filters
from tests.dashboards.fleet import write_home
from tests.dashboards.streamed import write_streamed


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="session")
def streamed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated day and a half through the real stream, with every mart."""
    return write_streamed(tmp_path_factory.mktemp("streamed"))


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Path:
    """A copy of `home` that a test may change."""
    shutil.copytree(home / "warehouse", tmp_path / "own" / "warehouse")
    return tmp_path / "own"


@pytest.fixture(scope="session")
def reader(home: Path) -> Iterator[Reader]:
    reader = Reader(home)
    yield reader
    reader.close()


@pytest.fixture(scope="session")
def view(reader: Reader) -> View:
    view = reader.view(Filters())
    assert view is not None
    return view
