-- Comment on a table of the lake. From DuckLake's own catalog: duckdb_tables() binds every table and view first, 0.1 s of CPU each time.
-- parameters: its name
SELECT g.value AS comment
FROM __ducklake_metadata_lake.ducklake_table AS t
JOIN __ducklake_metadata_lake.ducklake_tag AS g ON g.object_id = t.table_id
WHERE t.table_name = ? AND t.end_snapshot IS NULL AND g.key = 'comment' AND g.end_snapshot IS NULL
