-- The lake's tables and their comments. From DuckLake's own catalog: duckdb_tables() binds every table and view first, 0.1 s of CPU
-- each time.
-- grain: table_name
SELECT t.table_name, g.value AS comment
FROM __ducklake_metadata_lake.ducklake_table AS t
LEFT JOIN __ducklake_metadata_lake.ducklake_tag AS g
    ON g.object_id = t.table_id AND g.key = 'comment' AND g.end_snapshot IS NULL
WHERE t.end_snapshot IS NULL
