"""Exports: the rows are those of the table, the manifest is true of the files, and nothing half done looks whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from pyarrow import parquet

from pipelines.cli import main
from pipelines.export import MANIFEST, export_query, export_table
from tests.warehouse.hostile import hostile_statements, on_disk, write_small_lake
from warehouse import Bounds, Reader, WarehouseError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "home"
    write_small_lake(path / "warehouse")
    return path


def test_a_table_is_written_with_a_manifest_that_is_true(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["--home", str(home), "export", "table", "consumed_offsets", "--out", str(out)]) == 0
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["rows"] == 151
    assert [file["name"] for file in manifest["files"]] == ["consumed_offsets-0000.parquet"]
    for file in manifest["files"]:
        data = (out / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    with Reader(home / "warehouse") as reader:
        expected = reader.select("FROM consumed_offsets ORDER BY ALL")
        snapshot = reader.select("SELECT max(id) FROM ducklake_current_snapshot('lake')").item()
    assert pl.read_parquet(out / "*.parquet").sort(pl.all()).equals(expected)
    assert manifest["snapshot_id"] == snapshot
    assert manifest["columns"][0] == {
        "name": "topic",
        "type": "string",
        "meaning": "Topic, or file for the file source.",
    }
    written = parquet.read_schema(out / "consumed_offsets-0000.parquet")
    assert written.field("topic").metadata[b"comment"] == b"Topic, or file for the file source."


def test_a_large_result_becomes_several_files_and_an_empty_one_keeps_its_schema(home: Path, tmp_path: Path) -> None:
    with Reader(home / "warehouse") as reader:
        large = export_query(reader, "SELECT range AS n FROM range(10000)", tmp_path / "large", rows_per_file=4096)
        empty = export_query(reader, "SELECT topic FROM consumed_offsets WHERE false", tmp_path / "empty")
    assert [file["rows"] for file in large["files"]] == [4096, 4096, 1808]
    assert pl.read_parquet(tmp_path / "large" / "*.parquet")["n"].sum() == 10000 * 9999 // 2
    assert (empty["rows"], len(empty["files"])) == (0, 1)
    assert pl.read_parquet(tmp_path / "empty" / "*.parquet").columns == ["topic"]


def test_a_directory_with_files_is_left_alone(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs").write_text("x")
    assert main(["--home", str(home), "export", "query", "SELECT 1 AS n", "--out", str(tmp_path)]) == 1
    assert "there are files already" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["theirs"]


def test_a_result_beyond_the_bounds_leaves_no_manifest(home: Path, tmp_path: Path) -> None:
    with (
        Reader(home / "warehouse", bounds=Bounds(rows=5000)) as reader,
        pytest.raises(WarehouseError, match="more than 5,000 rows"),
    ):
        export_query(reader, "SELECT range AS n FROM range(10000)", tmp_path / "out")
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_hostile_statements_and_names_are_refused(home: Path, tmp_path: Path) -> None:
    before = on_disk(home / "warehouse")
    with Reader(home / "warehouse") as reader:
        for number, statement in enumerate(hostile_statements(home / "warehouse")):
            with pytest.raises(WarehouseError):
                pytest.fail(f"wrote {statement!r}: {export_query(reader, statement, tmp_path / str(number))}")
        with pytest.raises(WarehouseError, match="there is no table"):
            export_table(reader, 'spans" AT (VERSION => 1); DROP TABLE spans; --', tmp_path / "named")
    assert on_disk(home / "warehouse") == before
    assert not list(tmp_path.rglob("*.parquet"))
