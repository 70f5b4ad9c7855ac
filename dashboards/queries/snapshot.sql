-- Number of the lake's newest snapshot: while it stays, nothing has changed. One row.
SELECT max(snapshot_id) AS snapshot_id
FROM __ducklake_metadata_lake.ducklake_snapshot
