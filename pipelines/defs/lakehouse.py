"""The resource that the assets share: the home's warehouse, opened at most once per run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import dagster as dg
import duckdb
from pydantic import Field, PrivateAttr

from pipelines.defs.refresh import writer_of
from pipelines.errors import TerminalError
from pipelines.settings import load_settings
from warehouse import Warehouse, marks, marts
from warehouse.builders import Builders
from warehouse.connection import limits_of_refresh

#: Tag of a run of the job `refresh` during which nothing changed that marts follow from.
UNDISTURBED = "plumbline/undisturbed"
_HANDED: ContextVar[Warehouse | None] = ContextVar("warehouse handed to a run", default=None)
_BUILDERS: ContextVar[Builders | None] = ContextVar("builders of a run", default=None)


@contextmanager
def handed_over(warehouse: Warehouse | None, builders: Builders | None = None) -> Iterator[None]:
    """Let a run in this process use a warehouse that is open for writing already, instead of opening it; it is closed then.

    Parameters
    ----------
    builders : Builders, optional
        Build the run's marts ahead of its steps.
    """
    before = _HANDED.set(warehouse)
    builders_before = _BUILDERS.set(builders)
    try:
        yield
    finally:
        _HANDED.reset(before)
        _BUILDERS.reset(builders_before)
        if builders is not None:
            builders.end()
        if warehouse is not None:
            warehouse.close()


class Lakehouse(dg.ConfigurableResource):
    """The warehouse below a home directory.

    Attributes
    ----------
    home : str
        The home; empty takes that of the settings (``PLUMBLINE_HOME``, ``plumbline.toml``, ``.plumbline``).
    threads : int
        Threads of DuckDB where a mart is computed from everything; 0 takes half the cores, so that a stream on this machine
        keeps the others. What only changed rows are read for takes one.
    whole : bool
        Compute every mart from all rows, also where only some runs changed since its last build.
    """

    home: str = Field(default="", description="Home directory; empty: PLUMBLINE_HOME, plumbline.toml or .plumbline.")
    threads: int = Field(default=0, ge=0, description="Threads of DuckDB; 0: half the cores.")
    whole: bool = Field(default=False, description="Compute every mart from all rows, not from what changed.")

    _open: Warehouse | None = PrivateAttr(default=None)
    _writer: str = PrivateAttr(default="")  # empty outside a run
    _since: int = PrivateAttr(default=-1)  # the snapshot at which it was opened

    @property
    def directory(self) -> Path:
        """The warehouse's directory."""
        return (Path(self.home) if self.home else load_settings().home) / "warehouse"

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, open for writing from its first use until the run ends.

        Not before: a sensor has this resource too, and only reads, and only what is there.
        """
        if not self._writer:
            raise TerminalError("the warehouse is not open", str(self.directory), "use this resource inside a run")
        if self._open is None:
            self._open = _HANDED.get() or self._opened()
            self._open.writer = self._writer
            builders = _BUILDERS.get()
            self._since = builders.since if builders is not None else self._open.snapshot()
            if builders is None:  # they have done so; more where all is computed: `Warehouse.on_all_threads`
                self._open.connection.execute("SET threads = 1")
        return self._open

    def build(self, name: str) -> marts.Built:
        """Build a mart, or take it from the builders that did so ahead of this step."""
        builders = _BUILDERS.get()
        done = builders.take(name) if builders is not None else None
        if done is None:
            done = marts.build(self.warehouse, name, whole=self.whole)
            self.release(name)
        return done

    def release(self, name: str) -> None:
        """Tell the builders, where there are any, that this check has passed, or this mart is built."""
        builders = _BUILDERS.get()
        if builders is not None:
            builders.release(name)

    def _opened(self) -> Warehouse:
        threads = self.threads or max(1, (os.cpu_count() or 2) // 2)
        return Warehouse.open(self.directory, limits=limits_of_refresh(threads))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Lakehouse]:
        """Allow the warehouse to be opened, and close it when the run ends."""
        # A run outside a job is an asset's own: that of a test, or of somebody trying one.
        job = context.run.job_name if context.run is not None else "asset"
        self._writer = writer_of(job)
        try:
            yield self
            if job == "refresh" and self._open is not None and self._is_undisturbed(self._open):
                self._tag(context)
        finally:
            self._writer = ""
            if self._open is not None:
                if (builders := _BUILDERS.get()) is not None:
                    builders.end()  # with a connection its cursors are closed
                self._open.close()
                self._open = None

    def _is_undisturbed(self, warehouse: Warehouse) -> bool:
        from pipelines.defs.sensors import FACTS  # here: sensors have this resource

        with suppress(duckdb.Error):  # the marts are built, whatever becomes of the question
            changes = marks.changes(warehouse, self._since, warehouse.snapshot())
            return changes is not None and not changes.changed & FACTS
        return False

    @staticmethod
    def _tag(context: dg.InitResourceContext) -> None:
        if context.instance is not None and context.run is not None:
            context.instance.add_run_tags(context.run.run_id, {UNDISTURBED: "true"})
