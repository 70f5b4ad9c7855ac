"""A home with accounts of every role, whose passwords are their names in a sentence."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dashboards.access.options import Access
from dashboards.access.passwords import hashed
from dashboards.access.users import User
from dashboards.access.viewer import Role
from tests.dashboards.fleet import write_home

ACCOUNTS = {
    "wilma": (Role.VIEWER, ()),
    "felix": (Role.VIEWER, ("finance",)),
    "otto": (Role.OPERATOR, ("finance",)),
    "ada": (Role.ADMIN, ()),
}


@cache
def hash_of(name: str) -> str:
    return hashed(password(name))


def password(name: str) -> str:
    return f"the long password of {name}"


def with_accounts(home: Path) -> Path:
    """Give a home the accounts."""
    users = {name: User(name, hash_of(name), role, teams) for name, (role, teams) in ACCOUNTS.items()}
    Access().users_of(home).change(lambda known: known.update(users))
    return home


@pytest.fixture(scope="session")
def fleet_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("accounts"), scale=0.2)


@pytest.fixture
def home(fleet_home: Path, tmp_path: Path) -> Path:
    """A home of one test's own, with the accounts."""
    shutil.copytree(fleet_home, tmp_path / "home")
    return with_accounts(tmp_path / "home")


def callback(*outputs: str, inputs: list[dict], changed: list[str], state: list[dict] | None = None) -> dict[str, Any]:
    parts = [tuple(name.rsplit(".", 1)) for name in outputs]
    return {
        "output": f"..{'...'.join(outputs)}.." if len(outputs) > 1 else "".join(outputs),
        "outputs": [{"id": name, "property": which} for name, which in parts],
        "inputs": inputs,
        "state": state or [],
        "changedPropIds": changed,
    }


def show(path: str, search: str = "") -> dict[str, Any]:
    return callback(
        *("bar.children", "heading.children", "content.children"),
        inputs=[
            {"id": "address", "property": "pathname", "value": path},
            {"id": "address", "property": "search", "value": search},
            {"id": "revision", "property": "data", "value": None},
        ],
        changed=["address.pathname"],
    )
