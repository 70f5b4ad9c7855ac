"""``plumbline sql-server``: what it refuses to start with, and that the real process answers a real driver."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
import pytest

from pipelines.cli import main
from tests.warehouse.hostile import write_small_lake
from warehouse import read_only, snapshots


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / "home"
    write_small_lake(path / "warehouse")
    return path


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--host", "0.0.0.0"], "beyond loopback without TLS"),
        (["--host", "example.com"], "beyond loopback without TLS"),
        (["--tls-cert", "cert.pem"], "a certificate without its key"),
        (["--host", "0.0.0.0", "--tls-key", "key.pem"], "a certificate without its key"),
        (["--tls-cert", "absent.pem", "--tls-key", "absent.pem"], "the server can't start"),
    ],
)
def test_it_does_not_start_where_it_would_not_be_safe(
    home: Path, options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(home), "sql-server", "--port", "0", *options]) == 1
    told = capsys.readouterr().err
    assert line in told
    assert told.count("\n") == 1


def test_a_token_that_is_too_short_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLUMBLINE_SQL_TOKEN", "short")
    assert main(["--home", str(home), "sql-server", "--port", "0"]) == 1
    assert "the token is shorter than 16 characters (sql_token)" in capsys.readouterr().err


@pytest.mark.parametrize(("as_of", "rows"), [(None, 151), ("before", 1)])
def test_the_process_answers_who_reads_its_token_file_and_stops_when_told(
    home: Path, as_of: str | None, rows: int
) -> None:
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "sql-server", "--port", "0"]
    if as_of is not None:
        with read_only(home / "warehouse") as lake:
            command += ["--as-of", str(snapshots.current(lake.connection).id - 1)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PLUMBLINE_QUERY_MEMORY_MB": "64"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            address = re.search(r"grpc://127\.0\.0\.1:\d+", line)
            assert address, line
            token = (home / "sql_server.token").read_text(encoding="ascii").strip()
            assert token not in line
            shown = {"username": "me", "password": token}
            with (
                flight_sql.connect(address[0], db_kwargs=shown, autocommit=True) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT count(*) FROM consumed_offsets")
                assert cursor.fetchone() == (rows,)
                # Not counted by the engine while it is made, and far beyond what the process may take.
                with pytest.raises(Exception, match="the statement needs more than 64 MiB"):
                    _answer(cursor, "SELECT max(length(repeat('x', 2000000 + range::INT))) FROM range(3000)")
                cursor.execute("SELECT 42")
                assert cursor.fetchone() == (42,), "the server lives on"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) == 0
        finally:
            process.kill()


def _answer(cursor: flight_sql.Cursor, statement: str) -> object:
    cursor.execute(statement)
    return cursor.fetchone()
