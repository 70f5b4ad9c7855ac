"""Fixtures: a fresh warehouse directory, one opened for writing, and room for readers beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warehouse.board import fleet
from warehouse import Warehouse, marts


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "warehouse"


@pytest.fixture
def empty(home: Path, template: Path) -> Iterator[Warehouse]:
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Warehouse]:
    """The marts of the board's fleet, to be read only."""
    home = tmp_path_factory.mktemp("board") / "warehouse"
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        fleet().store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        yield warehouse
