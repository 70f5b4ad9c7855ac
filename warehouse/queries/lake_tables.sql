-- Where each table's files lie, below the data directory. Run by SQLite on a copy of the catalog.
SELECT s.path || t.path AS folder, t.table_name
FROM ducklake_table AS t
JOIN ducklake_schema AS s ON s.schema_id = t.schema_id
ORDER BY t.begin_snapshot
