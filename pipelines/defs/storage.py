"""Dagster's SQLite storage, written to by one process many times: the same files, with one open connection each.

Dagster makes a new SQLAlchemy engine and opens the file for each event that it stores: an empty cache of compiled statements
(9 ms of CPU an event, and a refresh stores hundreds, one a mart and day among them), and with the last connection that is closed
SQLite writes the log of the file back. Here both are kept until the instance is disposed of. Each event is committed as before,
but not waited for until it is on the disk: after a power failure Dagster's history, which is no part of the warehouse, may lack
the last events of a refresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.schema import AssetKeyTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import event

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry
    from dagster._serdes import ConfigurableClassData

#: Engines kept: those of the index and of a run that is under way.
_KEPT = 4
_BUSY_SECONDS = 60


def _kept_engine(address: str) -> sqlalchemy.Engine:
    """An engine whose connections stay open, for any thread that has its turn."""
    engine = sqlalchemy.create_engine(address, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _relaxed)
    return engine


def _relaxed(connection: Any, record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


class EventLog(SqliteEventLogStorage):
    """Events in one file a run and an index, as Dagster's own keeps them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sqlalchemy.Engine] = {}
        self._columns: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = _kept_engine(self.conn_string_for_shard(shard))
                while len(self._engines) >= _KEPT:
                    self._engines.pop(next(iter(self._engines))).dispose()
                self._engines[shard] = engine
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _has_asset_key_col_on_connection(self, conn: sqlalchemy.Connection, column_name: str) -> bool:
        """Asked with every event of an asset; a column that is there stays."""
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns

    def _store_asset_event(self, conn: sqlalchemy.Connection, event: EventLogEntry, event_id: int) -> None:
        """As of `SqlEventLogStorage`, which inserts, fails where the asset is known, as nearly all are, and updates."""
        happened = event.dagster_event
        values = self._get_asset_entry_values(event, event_id, self._has_asset_key_index_cols_on_connection(conn))
        if values and happened is not None and happened.asset_key is not None:
            known = AssetKeyTable.c.asset_key == happened.asset_key.to_string()
            if conn.execute(AssetKeyTable.update().values(**values).where(known)).rowcount:
                return
        super()._store_asset_event(conn, event, event_id)

    def has_asset_key_col(self, column_name: str) -> bool:
        """As of `SqlEventLogStorage`."""
        return column_name in self._columns or super().has_asset_key_col(column_name)

    def dispose(self) -> None:
        """Close the files."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()


class Runs(SqliteRunStorage):
    """Runs in one file, as Dagster's own keeps them."""

    _engine: sqlalchemy.Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[sqlalchemy.Connection]:
        """A connection whose work is committed at the end."""
        if self._engine is None:
            self._engine = _kept_engine(self._conn_string)
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()
        super().dispose()


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
