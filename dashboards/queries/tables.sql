-- Tables and views that are there: before the first refresh the marts are not.
-- From DuckLake's own catalog: duckdb_tables() binds every table and view first, 0.1 s of CPU each time.
SELECT table_name
FROM __ducklake_metadata_lake.ducklake_table
WHERE end_snapshot IS NULL
UNION ALL
SELECT view_name
FROM __ducklake_metadata_lake.ducklake_view
WHERE end_snapshot IS NULL
