"""The command line: every error is one clear line and a non-zero exit; and what it takes to start."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipelines.cli import app, main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command"),
        (["sql", "--format"], "requires an argument"),
        (["sql", "SELECT 1"], "no warehouse yet"),
        (["refresh"], "no warehouse yet"),
        (["dashboard", "export", "somewhere"], "no warehouse yet"),
        (["alerts", "list"], "no warehouse yet"),
        (["stream", "--source", "carrier-pigeon"], "use kafka or files"),
        (["stream", "--source", "files"], "add --files"),
        (["stream", "--source", "files", "--files", "/nowhere/*.json"], "no such OTLP file"),
        (["stream", "--files", "x.json"], "--files or --outcomes without --source files"),
        (["stream", "--until-end"], "no Kafka broker"),
        (["produce", "/nowhere.json"], "no such OTLP file"),
        (["simulate", "--out", "x", "--drift", "data", "--no-drift"], "give one of them"),
        (["--bootstrap-servers", "127.0.0.1:1", "stream", "--until-end"], "127.0.0.1:1"),
    ],
)
def test_an_error_is_one_line_and_a_non_zero_exit(
    arguments: list[str], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUMBLINE_BOOTSTRAP_SERVERS", raising=False)
    status = main(["--home", str(tmp_path), *arguments])
    captured = capfd.readouterr()
    assert status != 0
    assert words in captured.err
    assert [line for line in captured.err.splitlines() if "error:" in line] == captured.err.splitlines()
    assert captured.out == ""


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no warehouse yet"):
        main(["--debug", "--home", str(tmp_path), "sql", "SELECT 1"])


def test_every_command_says_what_it_does() -> None:
    group = typer.main.get_command(app)

    def commands(parent: object, path: str) -> list[tuple[str, str | None]]:
        found: list[tuple[str, str | None]] = []
        for name, command in getattr(parent, "commands", {}).items():
            found.append((f"{path} {name}", command.help))
            found.extend(commands(command, f"{path} {name}"))
        return found

    every = commands(group, "plumbline")
    assert len(every) >= 15
    assert [path for path, text in every if not text] == []


def test_a_command_loads_what_it_uses_itself() -> None:
    """Each analyst's `plumbline sql` is a process of its own: what it loads, it loads beside a stream."""
    code = "import sys, pipelines.cli; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert "pipelines.commands.reading" in loaded
    heavy = {"dagster", "dash", "great_expectations", "genai_prices", "kafka", "numba", "plotly", "scipy"}
    assert not loaded & heavy
