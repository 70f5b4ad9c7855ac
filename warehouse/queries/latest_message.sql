-- What the latest commit with a message left beside it.
-- parameters: the message
-- From DuckLake's own catalog: ducklake_snapshots() parses every snapshot there is, of a busy week 3 s of CPU. SQLite finds the latest
-- from the end of the primary key.
SELECT commit_extra_info
FROM sqlite_query(
    '__ducklake_metadata_lake',
    'SELECT commit_extra_info FROM ducklake_snapshot_changes WHERE commit_message = ''' || replace($1, '''', '''''')
    || ''' ORDER BY snapshot_id DESC LIMIT 1'
)
