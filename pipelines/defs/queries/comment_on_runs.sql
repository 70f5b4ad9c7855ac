-- What the mart runs says of itself.
-- grain: one row
SELECT max(comment) AS comment
FROM duckdb_tables()
WHERE database_name = 'lake' AND schema_name = 'main' AND table_name = 'runs'
