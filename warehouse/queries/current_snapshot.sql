-- The snapshot that this connection answers from: its number and when it was committed (UTC).
-- grain: one row
SELECT id, (
    SELECT snapshot_time::TIMESTAMPTZ::TIMESTAMP
    FROM __ducklake_metadata_lake.ducklake_snapshot
    WHERE snapshot_id = id
)
FROM ducklake_current_snapshot('lake')
