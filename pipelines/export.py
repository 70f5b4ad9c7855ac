"""Parquet files of a table or a statement's result, with a manifest that says what they are and of which moment.

The rows come through `warehouse.Reader`, as they are computed. The manifest is written last, so a directory with one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from pipelines.errors import TerminalError
from warehouse import Reader
from warehouse.describing import find
from warehouse.headers import Relation

MANIFEST = "manifest.json"
_ROWS_PER_FILE = 1_000_000  # about: a batch is not cut
_ROWS_PER_GROUP = 122_880  # DuckDB's own


def export_table(reader: Reader, name: str, folder: Path, *, rows_per_file: int = _ROWS_PER_FILE) -> dict[str, Any]:
    """Write a documented table or view; see `export_query`. Its files carry the columns' meanings."""
    relation = find(name)
    statement = f'SELECT * FROM lake.main."{relation.name}"'  # noqa: S608 - a documented name
    return _export(reader, statement, folder, relation.name, relation, rows_per_file)


def export_query(reader: Reader, sql: str, folder: Path, *, rows_per_file: int = _ROWS_PER_FILE) -> dict[str, Any]:
    """Write the rows of one SELECT as Parquet files, and return their manifest, which is written beside them.

    Parameters
    ----------
    folder : Path
        Made if absent; must hold no files yet.

    Returns
    -------
    dict
        statement, snapshot_id and snapshot_at (of the lake: the one that `reader` is held at, else the newest before the first
        row was read), exported_at, rows, columns (name, type, meaning), and files (name, rows, bytes, sha256).

    Raises
    ------
    TerminalError
        If the folder holds files, or can't be written.
    WarehouseError
        If the statement is refused, fails, or is beyond its bounds: then no manifest is written.
    """
    return _export(reader, sql, folder, "query", None, rows_per_file)


def _export(
    reader: Reader, sql: str, folder: Path, name: str, relation: Relation | None, rows_per_file: int
) -> dict[str, Any]:
    snapshot = reader.snapshot()
    meanings = relation.columns if relation else {}
    with _writable(folder), reader.stream(sql) as batches:
        fields = [
            field.with_metadata({"comment": meanings[field.name]}) if field.name in meanings else field
            for field in batches.schema
        ]
        schema = pa.schema(fields)
        files = list(_write(iter(batches), schema, folder, name, rows_per_file))
        manifest = {
            "statement": sql,
            "snapshot_id": snapshot.id,
            "snapshot_at": snapshot.at.isoformat(timespec="milliseconds") + "+00:00",
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": sum(file["rows"] for file in files),
            "columns": [
                {"name": field.name, "type": str(field.type), "meaning": meanings.get(field.name)} for field in schema
            ],
            "files": files,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def _write(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: Path, name: str, rows_per_file: int
) -> Iterator[dict[str, Any]]:
    """One file at least, also of no rows: its schema is an answer too."""
    pending = next(batches, None)
    number = 0
    while number == 0 or pending is not None:
        file = folder / f"{name}-{number:04d}.parquet"
        rows = 0
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            while pending is not None and rows < rows_per_file:
                group: list[pa.RecordBatch] = []
                grouped = 0
                while pending is not None and grouped < min(_ROWS_PER_GROUP, rows_per_file - rows):
                    group.append(pending)
                    grouped += pending.num_rows
                    pending = next(batches, None)
                writer.write_table(pa.Table.from_batches(group).cast(schema))
                rows += grouped
        with file.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        yield {"name": file.name, "rows": rows, "bytes": file.stat().st_size, "sha256": digest}
        number += 1


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise TerminalError("there are files already", str(folder), "choose an empty directory")
        yield
    except OSError as error:
        raise TerminalError("the export can't be written", str(folder), error.strerror or str(error)) from error
