"""The resource that tells every asset, check and job which home it works on."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from warehouse import Warehouse, read_only


class Home(dg.ConfigurableResource):
    """Plumbline's home; the warehouse is in ``warehouse`` below it.

    Parameters
    ----------
    path : str
        The home; empty takes the environment's ``PLUMBLINE_HOME``, else ``.plumbline``, when a run starts.
    """

    path: str = ""

    def directory(self) -> Path:
        """The home as a path."""
        return Path(self.path or os.environ.get("PLUMBLINE_HOME") or ".plumbline")

    def warehouse(self) -> Warehouse:
        """The warehouse, open for writing; close it after use."""
        return Warehouse.open(self.directory() / "warehouse")

    def reader(self) -> Warehouse:
        """The warehouse, attached read-only; close it after use."""
        return read_only(self.directory() / "warehouse")


def run_config(home: Path) -> dict:
    """Run configuration that sets the home."""
    return {"resources": {"home": {"config": {"path": str(home.absolute())}}}}
