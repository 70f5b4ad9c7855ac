"""Fixtures: a fresh warehouse directory, and one opened for writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse import Warehouse


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "warehouse"


@pytest.fixture
def empty(home: Path) -> Iterator[Warehouse]:
    with Warehouse.open(home) as warehouse:
        yield warehouse
