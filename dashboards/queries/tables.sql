-- Tables that are there: before the first refresh the marts are not.
SELECT table_name
FROM duckdb_tables()
WHERE database_name = 'lake'
