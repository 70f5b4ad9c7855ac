-- What pages depend on besides their filters, in one row: it changes when the marts were built anew, or an incident changed.
-- A mart is told by its id and, where only some of its rows were computed again, by the snapshot in its comment. These few are
-- among the first and the last that a refresh builds: more would have each open page made again for every mart of it.
SELECT
    (
        SELECT string_agg(t.table_id || ' ' || coalesce(right(g.value, 24), ''), ', ' ORDER BY t.table_id)
        FROM __ducklake_metadata_lake.ducklake_table AS t
        LEFT JOIN __ducklake_metadata_lake.ducklake_tag AS g
            ON g.object_id = t.table_id AND g.key = 'comment' AND g.end_snapshot IS NULL
        WHERE t.end_snapshot IS NULL
            AND t.table_name IN ('runs', 'runs_hourly', 'reuse_daily', 'rollback_readiness', 'scorecard_daily')
    ) AS marts,
    count(*) AS incidents,
    max(opened_at) AS opened_at,
    max(updated_at) AS updated_at
FROM incidents
