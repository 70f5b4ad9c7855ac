-- Tables that snapshots of the lake changed: with new rows, or fewer (is_new false), or as a whole (true), and the last that did. Nothing
-- else is to be asked of the change feed, which reads the catalog as of each snapshot it is given.
-- parameters: first snapshot; last one
-- From DuckLake's own catalog, by its primary key: ducklake_snapshots() parses every snapshot there is, of a busy week 3 s.
WITH change AS (
    SELECT
        snapshot_id,
        unnest(regexp_extract_all(changes_made, '\w+:(\d+|"([^"]|"")*"."([^"]|"")*")')) AS entry
    FROM sqlite_query(
        '__ducklake_metadata_lake',
        'SELECT snapshot_id, changes_made FROM ducklake_snapshot_changes WHERE snapshot_id BETWEEN ' || $1 || ' AND ' || $2
    )
),
parted AS (
    SELECT entry[: instr(entry, ':') - 1] AS what, entry[instr(entry, ':') + 1 :] AS object, max(snapshot_id::BIGINT) AS latest
    FROM change
    GROUP BY ALL
)
SELECT t.table_name, false AS is_new, max(p.latest) AS latest
FROM parted AS p
JOIN __ducklake_metadata_lake.ducklake_table AS t ON t.table_id::VARCHAR = p.object AND t.end_snapshot IS NULL
WHERE p.what IN ('inserted_into_table', 'inlined_insert', 'deleted_from_table', 'inlined_delete')
GROUP BY ALL
UNION ALL
SELECT replace(object[instr(object, '"."') + 3 : -2], '""', '"'), true, max(latest)
FROM parted
WHERE what = 'created_table'
GROUP BY ALL
UNION ALL
-- Compaction drops the oldest first: without the first snapshot nothing is known.
SELECT NULL, NOT count(*) > 0, NULL
FROM sqlite_query('__ducklake_metadata_lake', 'SELECT snapshot_id FROM ducklake_snapshot WHERE snapshot_id = ' || $1)
