-- The snapshot of a number, or the last one committed by a moment; and the oldest and newest that are kept.
-- grain: one row; snapshot_id and committed_at (UTC) are null where none is that old, or of that number.
-- From the catalog's own table: ducklake_snapshots() reads what each one changed, which takes 3 s for 200,000 of them.
-- parameters: $id: number, or null; $at: moment (UTC), or null
WITH snapshot AS (
    SELECT snapshot_id, snapshot_time::TIMESTAMPTZ::TIMESTAMP AS committed_at FROM __ducklake_metadata_lake.ducklake_snapshot
)
SELECT
    max(snapshot_id) FILTER (wanted),
    max_by(committed_at, snapshot_id) FILTER (wanted),
    min(snapshot_id),
    min_by(committed_at, snapshot_id),
    max(snapshot_id),
    max_by(committed_at, snapshot_id)
FROM (
    SELECT *, coalesce(snapshot_id = $id::BIGINT, false) OR coalesce(committed_at <= $at::TIMESTAMP, false) AS wanted
    FROM snapshot
)
