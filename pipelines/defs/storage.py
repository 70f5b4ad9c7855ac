"""Dagster's SQLite storage, written to by one process many times: the same files, with one engine each.

Dagster makes a new SQLAlchemy engine for each event that it stores, and with it an empty cache of compiled statements: 9 ms of
CPU an event, and a refresh stores hundreds, one a mart and day among them. An engine that is kept compiles a statement once.
Connections are not kept: each event is committed and its file closed before the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData

#: Engines kept: those of the index and of a run that is under way.
_KEPT = 4
_BUSY_SECONDS = 60


class EventLog(SqliteEventLogStorage):
    """Events in one file a run and an index, as Dagster's own keeps them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sqlalchemy.Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = sqlalchemy.create_engine(
                    self.conn_string_for_shard(shard), poolclass=NullPool, connect_args={"timeout": _BUSY_SECONDS}
                )
                while len(self._engines) >= _KEPT:
                    self._engines.pop(next(iter(self._engines)))
                self._engines[shard] = engine
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection


class Runs(SqliteRunStorage):
    """Runs in one file, as Dagster's own keeps them."""

    _engine: sqlalchemy.Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[sqlalchemy.Connection]:
        """A connection whose work is committed at the end."""
        if self._engine is None:
            self._engine = sqlalchemy.create_engine(self._conn_string, poolclass=NullPool)
        with self._engine.begin() as connection:
            yield connection


class Storage(DagsterSqliteStorage):
    """The three storages below a directory, those that a refresh writes to with engines that are kept."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        DagsterStorage.__init__(self)
        history = Path(base_dir) / "history"
        self.base_dir, self._inst_data = base_dir, inst_data
        self._run_storage = Runs.from_local(str(history))
        self._event_log_storage = EventLog(str(history / "runs"))
        self._schedule_storage = SqliteScheduleStorage.from_local(str(Path(base_dir) / "schedules"))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Storage:
        """As Dagster's own."""
        return cls.from_local(inst_data=inst_data, **config_value)


def instance_ref(directory: Path) -> InstanceRef:
    """How the instance of a Dagster home is opened: as its dagster.yaml says, with this storage in place of SQLite's."""
    ref = InstanceRef.from_dir(str(directory))
    if ref.storage_data is None or ref.storage_data.class_name != DagsterSqliteStorage.__name__:
        return ref
    own = {"module": Storage.__module__, "class": Storage.__name__, "config": ref.storage_data.config_dict}
    return InstanceRef.from_dir(str(directory), overrides={"storage": {"custom": own}})
