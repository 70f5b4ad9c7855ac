-- Tables and views that are there: before the first refresh the marts are not.
SELECT table_name
FROM duckdb_tables()
WHERE database_name = 'lake'
UNION ALL
SELECT view_name
FROM duckdb_views()
WHERE database_name = 'lake' AND NOT internal
