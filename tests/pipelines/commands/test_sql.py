"""``plumbline sql``: one statement, a shell at a real prompt, and a table described; none of them writes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from pipelines.cli import main
from pipelines.commands import shell
from tests.warehouse.hostile import hostile_statements, on_disk, write_small_lake
from warehouse import Reader


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "home"
    write_small_lake(path / "warehouse")
    return path


@pytest.fixture
def reader(home: Path) -> Iterator[Reader]:
    with Reader(home / "warehouse") as opened:
        yield opened


def typed(reader: Reader, history: Path, keys: str) -> tuple[list[pl.DataFrame], list[str]]:
    """What the shell shows and tells when somebody types `keys`, and then ends the input."""
    shown: list[pl.DataFrame] = []
    told: list[str] = []
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text(keys + "\x04")
        shell.run(reader, shell.session_of(reader, history), shown.append, told.append)
    return shown, told


def test_the_shell_answers_statements_of_several_lines_until_the_input_ends(reader: Reader, tmp_path: Path) -> None:
    shown, told = typed(
        reader,
        tmp_path / "history",
        "SELECT count(*) AS n\rFROM consumed_offsets;\rSELECT 1 AS one UNION ALL SELECT 2;\r",
    )
    assert [frame.to_dicts() for frame in shown] == [[{"n": 151}], [{"one": 1}, {"one": 2}]]
    assert told == ["1 row", "2 rows"]


def test_lists_and_what_is_in_them_are_json_in_a_csv_cell(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nested = "SELECT [{'link': 'drill', 'score': 0.5, 'note': NULL::VARCHAR}] AS links, [1, 2] AS numbers, NULL::INT[] AS none"
    assert main(["--home", str(home), "sql", nested, "--format", "csv"]) == 0
    (row,) = pl.read_csv(io.StringIO(capfd.readouterr().out)).to_dicts()
    assert json.loads(row["links"]) == [{"link": "drill", "score": 0.5, "note": None}]
    assert (json.loads(row["numbers"]), row["none"]) == ([1, 2], None)


def test_the_shell_keeps_its_history_and_goes_back_in_it(reader: Reader, tmp_path: Path) -> None:
    history = tmp_path / "home" / "history"
    typed(reader, history, "SELECT 41 + 1 AS n;\r")
    assert history.stat().st_mode & 0o077 == 0
    shown, _ = typed(reader, history, "\x1b[A\r")  # the arrow up
    assert shown[0].item() == 42


def test_the_shell_completes_names_and_words(reader: Reader) -> None:
    completer = shell.NameCompleter(reader)
    offered = [each.text for each in completer.get_completions(Document("SELECT trace_i"), CompleteEvent())]
    assert offered == ["trace_id"]
    offered = [each.text for each in completer.get_completions(Document("SELECT max(next_of"), CompleteEvent())]
    assert offered == ["next_offset"]
    assert "GROUP BY" in [each.text for each in completer.get_completions(Document("gr"), CompleteEvent())]


def test_an_error_is_one_line_and_the_shell_goes_on(reader: Reader, tmp_path: Path) -> None:
    shown, told = typed(
        reader, tmp_path / "history", "DELETE FROM spans;\rSELECT nope;\r\\nonsense\rSELECT 1;\r\\q\rSELECT 2;\r"
    )
    assert told[0] == "error: DELETE is not allowed (sql): write one SELECT"
    assert told[1].startswith("error: the statement failed (sql): Binder Error")
    assert told[2] == shell.HELP
    assert [frame.item() for frame in shown] == [1]  # \q left


def test_the_shell_lists_and_describes_tables(reader: Reader, tmp_path: Path) -> None:
    shown, told = typed(reader, tmp_path / "history", "\\d\r\\d spans\r\\d nothing\r")
    assert "runs" in shown[0]["name"].to_list()
    assert told[0] == "spans (table)"
    assert "Grain: trace_id, span_id." in told
    assert shown[1]["column"][0] == "trace_id"
    assert told[-1].startswith("error: there is no table 'nothing'")


def test_hostile_statements_in_the_shell_change_nothing(reader: Reader, home: Path, tmp_path: Path) -> None:
    statements, before = hostile_statements(home / "warehouse"), on_disk(home / "warehouse")
    told: list[str] = []
    session = iter([*statements, "SELECT 1"])

    class Scripted:
        def prompt(self, _: str) -> str:
            try:
                return next(session)
            except StopIteration:
                raise EOFError from None

    shown: list[pl.DataFrame] = []
    shell.run(reader, Scripted(), shown.append, told.append)  # pyright: ignore[reportArgumentType]
    assert [frame.item() for frame in shown] == [1]
    assert len([line for line in told if line.startswith("error: ")]) == len(statements)
    assert on_disk(home / "warehouse") == before


def test_a_hostile_statement_on_the_command_line_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = on_disk(home / "warehouse")
    for statement in hostile_statements(home / "warehouse")[::13]:
        assert main(["--home", str(home), "sql", "--", statement]) != 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
    assert on_disk(home / "warehouse") == before


def test_a_statement_is_read_from_stdin_where_none_is_given(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 42 AS n"))
    assert main(["--home", str(home), "sql", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 42}]


def test_a_table_is_described(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "sql", "--describe", "spans"]) == 0
    printed = capsys.readouterr().out
    assert "Grain: trace_id, span_id." in printed
    assert "Source: the stream, from the spans it reads." in printed
    assert main(["--home", str(home), "sql", "--describe", "runs", "--format", "json"]) == 0
    rows = {row["column"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["cost_usd"]["unit"] == "US dollars"
    assert rows["workflow"]["example"]
    assert main(["--home", str(home), "sql", "--describe", "spans_v1"]) == 0
    printed = capsys.readouterr().out
    assert "spans_v1 (stable view)" in printed and "kafka_offset" in printed
    assert main(["--home", str(home), "sql", "--describe", "rnus"]) == 1
    assert "did you mean runs" in capsys.readouterr().err


def test_bounds_are_settings(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PLUMBLINE_QUERY_ROWS", "10")
    assert main(["--home", str(home), "sql", "FROM range(11)"]) == 1
    assert "more than 10 rows" in capsys.readouterr().err


def test_a_shell_of_then_answers_as_of_then(home: Path, tmp_path: Path) -> None:
    with Reader(home / "warehouse") as now:
        then = now.snapshot().id - 1
    with Reader(home / "warehouse", as_of=then) as reader:
        shown, told = typed(
            reader, tmp_path / "history", "SELECT count(*) FROM consumed_offsets;\rDELETE FROM spans;\r"
        )
    assert [frame.item() for frame in shown] == [1]
    assert told[-1] == "error: DELETE is not allowed (sql): write one SELECT"
