-- Tables that snapshots of the lake changed: with new rows, or fewer (is_new false), or as a whole (true). Nothing else is to be asked of
-- the change feed, which reads the catalog as of each snapshot it is given.
-- parameters: $since: first snapshot; $now: last one
WITH change AS (
    SELECT entry.key AS key, unnest(entry.value) AS what
    FROM (
        SELECT unnest(map_entries(changes)) AS entry
        FROM ducklake_snapshots('lake')
        WHERE snapshot_id BETWEEN $since AND $now
    )
)
SELECT t.table_name, false AS is_new
FROM change AS c
JOIN ducklake_table_info('lake') AS t ON t.table_id::VARCHAR = c.what
WHERE c.key IN ('tables_inserted_into', 'inlined_insert', 'tables_deleted_from', 'inlined_delete')
UNION
SELECT string_split(what, '.')[-1], true
FROM change
WHERE key = 'tables_created'
UNION
-- Compaction drops the oldest first: without the first snapshot nothing is known.
SELECT NULL, NOT count(*) > 0
FROM ducklake_snapshots('lake')
WHERE snapshot_id = $since
