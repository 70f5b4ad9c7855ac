-- Tables and views that are there: before the first refresh the marts are not. Views have no number and no files.
-- grain: table_name
-- From DuckLake's own catalog: duckdb_tables() binds every table and view first, 0.1 s of CPU each time.
SELECT t.table_name, t.table_id, coalesce(s.file_size_bytes, 0)::BIGINT AS file_bytes
FROM __ducklake_metadata_lake.ducklake_table AS t
LEFT JOIN __ducklake_metadata_lake.ducklake_table_stats AS s USING (table_id)
WHERE t.end_snapshot IS NULL
UNION ALL
SELECT view_name, NULL, 0
FROM __ducklake_metadata_lake.ducklake_view
WHERE end_snapshot IS NULL
