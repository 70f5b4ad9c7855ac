-- Tables of facts with new rows, or fewer, in snapshots after the one given; the latest such snapshot of each.
SELECT max(snapshot_id) AS snapshot_id, table_name
FROM (
    SELECT snapshot_id, unnest(map_entries(changes)) AS change
    FROM ducklake_snapshots('lake')
    WHERE snapshot_id > ?
)
JOIN ducklake_table_info('lake') AS t ON list_contains(change.value, t.table_id::VARCHAR)
WHERE change.key IN ('tables_inserted_into', 'inlined_insert', 'tables_deleted_from', 'inlined_delete')
    AND (
        table_name IN ('spans', 'outcomes', 'policy_decisions', 'approvals', 'rollbacks', 'overrides', 'drills')
        OR starts_with(table_name, 'catalog_')
    )
GROUP BY table_name
ORDER BY table_name
