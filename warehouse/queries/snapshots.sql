-- Snapshots that are kept, newest first: when each was committed (UTC), by whom, and what it did to which table.
-- grain: snapshot_id
-- parameters: $limit: rows; $since, $until: moments (UTC) or null; $table: only those that changed it, or null
-- changes names a table by its number where the catalog has forgotten it. The text of a change is what DuckLake writes:
-- kind:number or kind:"schema"."name", with commas between.
WITH named AS (
    SELECT table_id, max_by(table_name, begin_snapshot) AS table_name
    FROM __ducklake_metadata_lake.ducklake_table
    GROUP BY table_id
    UNION
    SELECT view_id, max_by(view_name, begin_snapshot)
    FROM __ducklake_metadata_lake.ducklake_view
    GROUP BY view_id
),
snapshot AS (
    SELECT
        snapshot_id,
        snapshot_time::TIMESTAMPTZ::TIMESTAMP AS committed_at,
        author AS written_by,
        changes_made
    FROM __ducklake_metadata_lake.ducklake_snapshot
    LEFT JOIN __ducklake_metadata_lake.ducklake_snapshot_changes USING (snapshot_id)
    WHERE
        coalesce(snapshot_time::TIMESTAMPTZ::TIMESTAMP >= $since::TIMESTAMP, true)
        AND coalesce(snapshot_time::TIMESTAMPTZ::TIMESTAMP <= $until::TIMESTAMP, true)
    QUALIFY $table IS NOT NULL OR row_number() OVER (ORDER BY snapshot_id DESC) <= $limit
),
change AS (
    SELECT
        snapshot_id,
        -- Rows that wait in the catalog are rows of the table all the same.
        CASE split_part(said, ':', 1)
            WHEN 'inserted_into_table' THEN 'inserted'
            WHEN 'inlined_insert' THEN 'inserted'
            WHEN 'deleted_from_table' THEN 'deleted'
            WHEN 'inlined_delete' THEN 'deleted'
            WHEN 'flushed_inlined' THEN 'compacted'
            WHEN 'inline_flush' THEN 'compacted'
            WHEN 'merge_adjacent' THEN 'compacted'
            WHEN 'rewrite_delete' THEN 'compacted'
            ELSE split_part(split_part(said, ':', 1), '_', 1)
        END AS kind,
        coalesce(table_name, regexp_extract(said, '"([^"]*)"$', 1), substr(said, instr(said, ':') + 1)) AS table_name
    FROM (SELECT snapshot_id, unnest(regexp_extract_all(changes_made, '\w+:("[^"]*"\."[^"]*"|\d+)')) AS said FROM snapshot)
    LEFT JOIN named ON table_id::VARCHAR = split_part(said, ':', 2)
),
told AS (
    SELECT snapshot_id, string_agg(kind || ' ' || table_names, '; ' ORDER BY kind) AS changes, bool_or(is_wanted) AS is_wanted
    FROM (
        SELECT
            snapshot_id,
            kind,
            string_agg(DISTINCT table_name, ', ' ORDER BY table_name) AS table_names,
            coalesce(bool_or(table_name = $table), false) AS is_wanted
        FROM change
        GROUP BY snapshot_id, kind
    )
    GROUP BY snapshot_id
)
SELECT snapshot_id, committed_at, written_by, coalesce(changes, '') AS changes
FROM snapshot
LEFT JOIN told USING (snapshot_id)
WHERE $table IS NULL OR is_wanted
ORDER BY snapshot_id DESC
LIMIT $limit
