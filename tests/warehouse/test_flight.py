"""The Flight SQL server, asked by ADBC's own driver: it answers SELECTs to who shows the token, and nothing else to anybody."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as flight_sql
import polars as pl
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error

from tests.warehouse.hostile import hostile_statements, on_disk, write_small_lake
from warehouse import Bounds, Warehouse, WarehouseError
from warehouse.flight import FlightSqlServer, token_of

TOKEN = "token-of-the-tests-0123456789"


@contextmanager
def serving(lake: Path, **options: Any) -> Iterator[FlightSqlServer]:
    server = FlightSqlServer(lake, token=TOKEN, **options)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(timeout=30)


def connect(server: FlightSqlServer, scheme: str = "grpc", **options: str) -> Any:
    shown = options or {"username": "analyst", "password": TOKEN}
    return flight_sql.connect(f"{scheme}://127.0.0.1:{server.port}", db_kwargs=shown, autocommit=True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flight") / "warehouse"
    write_small_lake(path)
    return path


@pytest.fixture(scope="module")
def server(lake: Path) -> Iterator[FlightSqlServer]:
    with serving(lake, bounds=Bounds(rows=50_000, seconds=60)) as running:
        yield running


@pytest.fixture
def ask(server: FlightSqlServer) -> Iterator[Callable[..., pa.Table]]:
    with connect(server) as connection:

        def asked(sql: str, params: Any = None) -> pa.Table:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetch_arrow_table()

        yield asked


def test_a_select_is_answered_with_its_types(ask: Callable[..., pa.Table]) -> None:
    table = ask(
        "SELECT topic, count(*) AS n, sum(next_offset) AS far, now()::TIMESTAMP AS t FROM consumed_offsets GROUP BY 1"
    )
    assert table.drop(["t"]).to_pylist() == [{"topic": "t", "n": 151, "far": 11175}]
    assert table.schema.field("t").type == pa.timestamp("us")


def test_parameters_are_values_never_sql(ask: Callable[..., pa.Table]) -> None:
    sql = "SELECT count(*) AS n FROM consumed_offsets WHERE topic = ? AND next_offset < ?"
    assert ask(sql, ("t", 10)).to_pylist() == [{"n": 11}]
    assert ask(sql, ("t' OR 1=1; DELETE FROM consumed_offsets; --", 10)).to_pylist() == [{"n": 0}]


def test_polars_and_pandas_read_through_it(server: FlightSqlServer) -> None:
    sql = "SELECT partition, next_offset FROM consumed_offsets ORDER BY ALL"
    with connect(server) as connection:
        frame = pl.read_database(sql, connection)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            pandas = cursor.fetch_df()
    assert frame.shape == (151, 2)
    assert pandas["next_offset"].sum() == frame["next_offset"].sum() == 11175


def test_what_a_tool_browses_is_there(server: FlightSqlServer) -> None:
    with connect(server) as connection:
        assert connection.adbc_get_info()["vendor_name"] == "Plumbline"
        assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
        assert connection.adbc_get_table_schema("consumed_offsets").names[:3] == ["topic", "partition", "next_offset"]
        objects = connection.adbc_get_objects(depth="all", table_name_filter="incidents").read_all().to_pylist()
    schemas = objects[0]["catalog_db_schemas"]
    tables = [table for schema in schemas for table in schema["db_schema_tables"]]
    assert [table["table_name"] for table in tables] == ["incidents"]
    assert "headline" in [column["column_name"] for column in tables[0]["table_columns"]]


@pytest.mark.parametrize(
    "shown",
    [
        {"username": "analyst", "password": "wrong"},
        {"username": TOKEN, "password": ""},
        {"adbc.flight.sql.authorization_header": "Bearer wrong"},
        {"adbc.flight.sql.authorization_header": TOKEN},
        {"adbc.flight.sql.client_option.with_max_msg_size": "1000000"},
    ],
    ids=["wrong password", "token as user", "wrong bearer", "no scheme", "nothing"],
)
def test_nobody_without_the_token_is_answered(server: FlightSqlServer, shown: dict[str, str]) -> None:
    with pytest.raises(Error, match="token is missing or wrong"), connect(server, **shown) as connection:
        connection.cursor().execute("SELECT 1")


def test_the_token_is_taken_as_bearer_too(server: FlightSqlServer) -> None:
    header = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {TOKEN}"}
    with connect(server, **header) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 41 + 1 AS n")
        assert cursor.fetchone() == (42,)


def test_hostile_statements_are_refused_and_change_nothing(server: FlightSqlServer, lake: Path) -> None:
    before = on_disk(lake)
    with connect(server) as connection:
        for statement in hostile_statements(lake):
            if "\0" in statement:
                continue  # the driver sends what comes before it
            with connection.cursor() as cursor:
                with pytest.raises(Error) as caught:
                    pytest.fail(f"answered {statement!r}: {cursor.execute(statement)}")
                assert "Traceback" not in str(caught.value)
    assert on_disk(lake) == before


def test_writes_by_other_commands_are_refused(server: FlightSqlServer, lake: Path) -> None:
    before = on_disk(lake)
    with connect(server) as connection, connection.cursor() as cursor:
        with pytest.raises(Error, match="not allowed"):
            cursor.executemany("INSERT INTO consumed_offsets VALUES (?, 0, 0, NULL)", [("x",)])
        with pytest.raises(Error, match="read only"):
            cursor.adbc_ingest("made", pa.table({"a": [1]}))
    assert on_disk(lake) == before


def test_a_result_beyond_the_bounds_ends_in_one_line(ask: Callable[..., pa.Table]) -> None:
    with pytest.raises(Error, match=r"more than 50,000 rows \(sql\): aggregate"):
        ask("SELECT * FROM range(100000)")
    assert ask("SELECT 1 AS n").to_pylist() == [{"n": 1}]


def test_a_statement_that_finds_no_slot_is_refused_and_a_free_one_is_used_again(lake: Path) -> None:
    with serving(lake, slots=1, wait_s=0.2) as server, connect(server) as one, connect(server) as other:
        held = one.cursor()
        held.execute("SELECT range, repeat('x', 1000) AS wide FROM range(1000000)")
        assert held.fetchone()[0] == 0  # the others wait for the client
        with pytest.raises(Error, match="1 statements are running"):
            other.cursor().execute("SELECT 1")
        held.close()
        assert _until_answered(other) == (1,)


def _until_answered(connection: Any) -> tuple[int]:
    for _ in range(100):
        with connection.cursor() as cursor:
            try:
                cursor.execute("SELECT 1")
                return cursor.fetchone()
            except Error:
                continue
    raise AssertionError("the slot was never given back")


def test_many_clients_get_their_own_answers_while_rows_come_in(server: FlightSqlServer, lake: Path) -> None:
    wrong: list[object] = []

    def client(number: int) -> None:
        with connect(server) as connection, connection.cursor() as cursor:
            for _ in range(5):
                cursor.execute("SELECT ?::INT AS mine, count(*) AS n FROM dead_letters", (number,))
                mine, _n = cursor.fetchone()
                if mine != number:
                    wrong.append((mine, number))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    with Warehouse.open(lake) as warehouse:
        for thread in threads:
            thread.start()
        for number in range(5):
            frame = pl.DataFrame({"dead_letter_id": [f"late-{number}"]})
            warehouse.transaction(lambda c, frame=frame: warehouse.insert(c, "dead_letters", frame))
        for thread in threads:
            thread.join()
    assert wrong == []
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM dead_letters")
        assert cursor.fetchone() == (5,)


def test_with_a_certificate_it_speaks_tls_only(lake: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    trusted = {
        "username": "a",
        "password": TOKEN,
        DatabaseOptions.TLS_ROOT_CERTS.value: certificate.read_text(encoding="ascii"),
    }
    with serving(lake, certificate=certificate, key=key) as server:
        with connect(server, scheme="grpc+tls", **trusted) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        with pytest.raises(Error):
            connect(server).cursor().execute("SELECT 1")


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "home" / "token"
    made = token_of(file)
    assert len(made) > 32
    assert token_of(file) == made
    assert file.stat().st_mode & 0o077 == 0
    assert token_of(file, "given-by-the-operator") == "given-by-the-operator"
    with pytest.raises(WarehouseError, match="shorter than 16"):
        token_of(file, "short")


def test_an_address_that_can_not_be_had_is_told_in_one_line(lake: Path) -> None:
    with pytest.raises(WarehouseError, match="can't start") as caught:
        FlightSqlServer(lake, token=TOKEN, host="256.0.0.1", port=1)
    assert "\n" not in str(caught.value)
