"""Files that a repair has set aside, for an earlier catalog did not know them: which of their rows are stored by now.

After such a catalog was put back the stream reads the messages again, and brings most rows itself. What is left are those whose
messages have expired meanwhile. A row is taken in only when the stream has passed its message: taken in before, it would look
like one that was delivered twice, and the facts that the message states beside it would not be stored.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from warehouse.dictionary import raw_tables
from warehouse.lake import Warehouse
from warehouse.upkeep.inspection import ASIDE, Unknown

#: Tables that only ever gain rows, each of one message.
_TAKEN_IN = ("spans", "outcomes", "policy_decisions", "approvals", "rollbacks", "overrides", "tool_requests")
_TABLE_COLUMNS = "SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?"
_FILE_COLUMNS = "SELECT column_name FROM (DESCRIBE FROM read_parquet(?))"
# A row is passed when the stream goes on behind its message, or where it came from none.
_NOT_STORED = """
    SELECT r.*, coalesce(r."offset" < o.next_offset, r.topic IS NULL) AS passed
    FROM read_parquet(?) AS r
    LEFT JOIN lake.main.consumed_offsets AS o ON o.topic = r.topic AND o."partition" = r."partition"
    WHERE NOT EXISTS (SELECT 1 FROM lake.main."{table}" AS t WHERE {same})
"""


def can_be_taken_in(file: Unknown) -> bool:
    """Whether rows of that file follow from messages alone, so that they can be compared with what is stored."""
    return file.table in _TAKEN_IN and file.rows is not None


def not_stored(path: Path, file: Unknown) -> tuple[int, int]:
    """Rows of a file that are not stored: those whose messages the stream has passed, and those that it has yet to come to."""
    with Warehouse.open(path, read_only=True) as lake:
        counted = f"SELECT count(*) FILTER (passed), count(*) FILTER (NOT passed) FROM ({_not_stored(file)})"  # noqa: S608 - our names
        row = lake.connection.execute(counted, [_place(path, file)]).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def take_in(path: Path, file: Unknown) -> str:
    """Store the rows that are not, in one transaction, and remove the file; what was done, in words."""

    def work(connection: duckdb.DuckDBPyConnection) -> int:
        here = {name for (name,) in connection.execute(_TABLE_COLUMNS, [file.table]).fetchall()}
        there = [name for (name,) in connection.execute(_FILE_COLUMNS, [_place(path, file)]).fetchall()]
        columns = ", ".join(f'"{name}"' for name in there if name in here)  # DuckLake's own are left out
        insert = (
            f'INSERT INTO lake.main."{file.table}" BY NAME SELECT {columns} FROM ({_not_stored(file)}) WHERE passed'  # noqa: S608 - our names
        )
        row = connection.execute(insert, [_place(path, file)]).fetchone()
        return row[0] if row else 0

    with Warehouse.open(path) as lake:
        taken = lake.transaction(work)
    return f"took {taken:,} rows of {file.table} in; {remove(path, file)}"


def remove(path: Path, file: Unknown) -> str:
    """Remove the file; what was done, in words."""
    Path(_place(path, file)).unlink()
    return f"removed {ASIDE}/{file.path}"


def _place(path: Path, file: Unknown) -> str:
    return str(path.absolute() / ASIDE / file.path)


def _not_stored(file: Unknown) -> str:
    grain = next(each.grain for each in raw_tables() if each.name == file.table)
    same = " AND ".join(f't."{name.strip()}" IS NOT DISTINCT FROM r."{name.strip()}"' for name in grain.split(","))
    return _NOT_STORED.format(table=file.table, same=same)
