"""What snapshots changed, and what the message of a commit says, as the lake's own catalog has it."""

from __future__ import annotations

from warehouse import Warehouse, marks


def now(warehouse: Warehouse) -> int:
    return warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()


def run(warehouse: Warehouse, *statements: str) -> None:
    warehouse.transaction(lambda connection: [connection.execute(statement) for statement in statements])


def test_changes_name_tables_with_other_rows_and_those_put_there_anew(empty: Warehouse) -> None:
    run(
        empty, "CREATE TABLE few (n INTEGER)", "CREATE TABLE many (n INTEGER)", 'CREATE TABLE "odd, ""name" (n INTEGER)'
    )
    since = now(empty)
    assert marks.changes(empty, since, since) == marks.Changes(frozenset(), frozenset())
    run(empty, "INSERT INTO few VALUES (1)")
    run(empty, "INSERT INTO many SELECT unnest(range(1000))")
    run(empty, "COMMENT ON TABLE few IS 'no other rows'")
    assert marks.changes(empty, since, now(empty)) == marks.Changes(frozenset({"few", "many"}), frozenset())
    middle = now(empty)
    run(empty, "DELETE FROM many WHERE n = 7", 'CREATE OR REPLACE TABLE "odd, ""name" AS SELECT 1 AS n')
    assert marks.changes(empty, middle, now(empty)) == marks.Changes(
        frozenset({"many", 'odd, "name'}), frozenset({'odd, "name'})
    )


def test_nothing_is_known_where_the_first_snapshot_is_gone(empty: Warehouse) -> None:
    run(empty, "CREATE TABLE few (n INTEGER)")
    since = now(empty)
    for number in range(3):
        run(empty, f"INSERT INTO few VALUES ({number})")
    empty.query("CALL ducklake_expire_snapshots('lake', older_than => now())")
    assert marks.changes(empty, since, now(empty)) is None


def test_what_was_read_before_is_what_is_read_anew(empty: Warehouse) -> None:
    first = now(empty)
    run(empty, "CREATE TABLE few (n INTEGER)", "CREATE TABLE many (n INTEGER)")
    for table in ("few", "many", "few", "few", "many"):
        run(empty, f"INSERT INTO {table} VALUES (1)")
        if table == "many":
            assert marks.changes(empty, first, now(empty)) is not None
    run(empty, "CREATE OR REPLACE TABLE many AS SELECT 1 AS n")
    last = now(empty)
    ranges = [
        (since, until) for since in range(first, last + 1) for until in (last, last - 1, first + 2) if since <= until
    ]
    for since, until in ranges:
        anew = marks.Log(empty.connection).changes(since, until)
        assert marks.changes(empty, since, until) == anew, (since, until)
    assert len({marks.changes(empty, *each) for each in ranges}) > 3


def test_what_follows_from_tables_is_kept_until_one_of_them_changes(empty: Warehouse) -> None:
    run(empty, "CREATE TABLE few (n INTEGER)", "CREATE TABLE many (n INTEGER)")
    asked: list[int] = []

    def count() -> int:
        asked.append(empty.query("SELECT count(*) FROM few").item())
        return asked[-1]

    def kept() -> int:
        return empty.log.kept("rows of few", {"few"}, now(empty), count)

    assert kept() == 0
    run(empty, "INSERT INTO many VALUES (1)")
    assert kept() == 0 and asked == [0]
    run(empty, "INSERT INTO few VALUES (1)")
    assert kept() == 1 and asked == [0, 1]


def test_the_latest_message_holds_and_one_of_an_empty_transaction_is_none(empty: Warehouse) -> None:
    assert marks.left(empty, "it's said") == {}
    run(empty, "CREATE TABLE few (n INTEGER)")

    def say(number: int, statement: str) -> None:
        def work(connection: object) -> None:
            empty.connection.execute(statement)
            marks.leave(empty.connection, "it's said", {"number": number})

        empty.transaction(work)

    say(1, "INSERT INTO few VALUES (1)")
    say(2, "INSERT INTO few VALUES (2)")
    run(empty, "INSERT INTO few VALUES (3)")
    assert marks.left(empty, "it's said") == {"number": 2}
    say(3, "DELETE FROM few WHERE n = 99")
    assert marks.left(empty, "it's said") == {"number": 2}
    assert marks.left(empty, "it''s said") == {}
