-- What each snapshot of the lake after $1, and until $2, changed, in DuckLake's words. None where an expired one is among them.
-- Not those after $2, which others commit meanwhile: whoever counts them counts too many.
-- grain: snapshot_id
SELECT snapshot_id, changes_made
FROM __ducklake_metadata_lake.ducklake_snapshot_changes
WHERE snapshot_id > $1 AND snapshot_id <= $2
