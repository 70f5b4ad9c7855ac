-- What each snapshot of the lake after $1 changed, in DuckLake's words. None where an expired one is among them.
-- grain: snapshot_id
SELECT snapshot_id, changes_made
FROM __ducklake_metadata_lake.ducklake_snapshot_changes
WHERE snapshot_id > $1
