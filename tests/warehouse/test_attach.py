"""Other people's clients attach the warehouse by the documented lines: DuckDB's own shell, Python, Polars, pandas."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.warehouse.hostile import hostile_statements, on_disk, write_small_lake
from warehouse import Warehouse
from warehouse.attaching import attach_lines
from warehouse.extensions import EXTENSIONS, extension_file

DOCUMENTED = Path(__file__).parents[2] / "docs" / "warehouse.md"
SUM = "SELECT count(*) AS n, sum(next_offset)::BIGINT AS far FROM consumed_offsets"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    path = tmp_path / "made" / "warehouse"
    path.parent.mkdir()
    write_small_lake(path)
    return path


@pytest.fixture
def client() -> Iterator[duckdb.DuckDBPyConnection]:
    """A plain DuckDB with the two extensions, from their wheels, where a user's come by INSTALL."""
    with duckdb.connect(config={"threads": 1}) as connection:
        for line in _loading():
            connection.execute(line)
        yield connection


def _loading() -> list[str]:
    return [f"LOAD '{extension_file(name) or name}'" for name in EXTENSIONS]


def test_the_documented_lines_are_those_that_are_tested() -> None:
    text = DOCUMENTED.read_text(encoding="utf-8")
    for line in attach_lines(Path("/HOME/warehouse")):
        assert line.replace("/HOME", "HOME") + ";" in text, line


def test_a_python_client_reads_what_is_committed_after_it_attached(
    client: duckdb.DuckDBPyConnection, lake: Path
) -> None:
    for line in attach_lines(lake):
        client.execute(line)
    assert client.execute(SUM).fetchall() == [(151, 11175)]
    with Warehouse.open(lake) as warehouse:
        frame = pl.DataFrame({"topic": ["new"], "partition": [0], "next_offset": [5]})
        warehouse.transaction(lambda c: warehouse.insert(c, "consumed_offsets", frame))
    assert client.execute(SUM).fetchall() == [(152, 11180)]


def test_polars_and_pandas_take_the_result(client: duckdb.DuckDBPyConnection, lake: Path) -> None:
    for line in attach_lines(lake):
        client.execute(line)
    frame = client.sql("SELECT topic, next_offset FROM consumed_offsets").pl()
    assert frame["next_offset"].sum() == 11175
    assert pl.read_database("SELECT count(*) AS n FROM lake.consumed_offsets", client).item() == 151
    pandas = client.sql("SELECT topic, next_offset FROM consumed_offsets").df()
    assert pandas["next_offset"].to_numpy().sum() == 11175


def test_duckdbs_own_shell_attaches_and_is_refused_a_write(lake: Path, tmp_path: Path) -> None:
    shell = shutil.which("duckdb", path=str(Path(duckdb.__file__).parents[4] / "bin")) or shutil.which("duckdb")
    if shell is None:
        pytest.skip("no DuckDB shell: pip install duckdb-cli")
    script = ";\n".join([*_loading(), *attach_lines(lake), SUM, "DELETE FROM consumed_offsets", SUM]) + ";\n"
    before = on_disk(lake)
    done = subprocess.run(
        [shell, "-csv", "-noheader", "-init", "/dev/null"], input=script, cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["151,11175", "151,11175"], done.stderr
    assert "read-only" in done.stderr
    assert on_disk(lake) == before


def test_hostile_statements_of_an_attached_client_leave_the_lake_as_it_was(
    client: duckdb.DuckDBPyConnection, lake: Path
) -> None:
    """Nothing of the lake changes; what DuckDB still lets such a client do is put new files beside the lake's own."""
    for line in attach_lines(lake):
        client.execute(line)
    before = on_disk(lake)
    waiting = ("sleep_ms(", "abs(abs(")  # these only take time here
    for statement in hostile_statements(lake):
        if any(mark in statement for mark in waiting) or "\0" in statement:
            continue
        try:
            answer = client.execute(statement)
            if answer is not None:  # it is for a text without a statement
                answer.fetchmany(10)
        except (duckdb.Error, UnicodeError):
            continue
    after = on_disk(lake)
    assert {file: after.get(file) for file in before} == before
    assert all(file.startswith("warehouse/data/") for file in after.keys() - before.keys())
    with Warehouse.open(lake, read_only=True) as warehouse:
        assert warehouse.query(SUM).rows() == [(151, 11175)]
