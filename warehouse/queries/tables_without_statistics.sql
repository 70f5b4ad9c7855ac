-- Tables of which the catalog has no statistics, because they never held a row.
SELECT t.table_name
FROM __ducklake_metadata_lake.ducklake_table AS t
ANTI JOIN __ducklake_metadata_lake.ducklake_table_stats AS s USING (table_id)
WHERE t.end_snapshot IS NULL
ORDER BY t.table_name
