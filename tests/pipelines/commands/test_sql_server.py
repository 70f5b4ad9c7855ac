"""``plumbline sql-server``: what it refuses to start with, and that the real process answers a real driver."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as flight_sql
import pytest

from pipelines.cli import main
from tests.warehouse.hostile import write_small_lake
from warehouse import read_only, snapshots

# Not counted by the engine while it is made, and far beyond what the process may take.
_HEAVY = "SELECT max(length(repeat('x', 2000000 + range::INT))) FROM range(3000)"


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


@contextmanager
def running(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The real process, and how to connect to it: a statement may take 64 MiB, the process what it may by default."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PLUMBLINE_QUERY_MEMORY_MB": "64"}
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "sql-server", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            address = re.search(r"grpc://127\.0\.0\.1:\d+", line)
            assert address, line
            token = (home / "sql_server.token").read_text(encoding="ascii").strip()
            assert token not in line
            yield process, {"uri": address[0], "db_kwargs": {"username": "me", "password": token}, "autocommit": True}
        finally:
            process.kill()


@pytest.mark.parametrize(("as_of", "rows"), [(None, 151), ("before", 1)])
def test_the_process_answers_who_reads_its_token_file_and_stops_when_told(
    home: Path, as_of: str | None, rows: int
) -> None:
    options: tuple[str, ...] = ()
    if as_of is not None:
        with read_only(home / "warehouse") as lake:
            options = ("--as-of", str(snapshots.current(lake.connection).id - 1))
    with running(home, *options) as (process, address):
        with flight_sql.connect(**address) as connection, connection.cursor() as cursor:
            assert _answer(cursor, "SELECT count(*) FROM consumed_offsets") == (rows,)
            with pytest.raises(Exception, match="the statement needs more than 64 MiB"):
                _answer(cursor, _HEAVY)
            assert _answer(cursor, "SELECT 42") == (42,), "the server lives on"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what a process may write to")
def test_a_server_that_met_its_bound_again_and_again_still_answers_everybody(home: Path) -> None:
    with running(home) as (process, address), ExitStack() as opened:
        clients = [opened.enter_context(flight_sql.connect(**address)) for _ in range(6)]
        for _ in range(4):
            with clients[0].cursor() as cursor, pytest.raises(Exception, match="the statement needs more than 64 MiB"):
                _answer(cursor, _HEAVY)
            # Each of the readers behind the server, and threads for all at once.
            with ThreadPoolExecutor(len(clients)) as pool:
                assert list(pool.map(_count, clients)) == [(151,)] * len(clients)
        assert process.poll() is None


def _count(client: flight_sql.Connection) -> object:
    with client.cursor() as cursor:
        return _answer(cursor, "SELECT count(*) FROM consumed_offsets")


def _answer(cursor: flight_sql.Cursor, statement: str) -> object:
    cursor.execute(statement)
    return cursor.fetchone()
