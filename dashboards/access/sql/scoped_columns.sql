-- Columns of the tables of the lake, in order, by which the view of each is chosen.
-- grain: table_name
SELECT table_name, list(column_name ORDER BY column_index) AS columns
FROM duckdb_columns()
WHERE database_name = 'lake'
GROUP BY table_name
ORDER BY table_name
