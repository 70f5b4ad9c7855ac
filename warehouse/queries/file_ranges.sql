-- What is known of the rows of each file without reading it: least and greatest value of the columns that say when the rows are of and
-- which messages they came in. Run by SQLite on a copy of the catalog.
SELECT s.data_file_id, c.column_name, s.min_value, s.max_value
FROM ducklake_file_column_stats AS s
JOIN ducklake_column AS c ON c.table_id = s.table_id AND c.column_id = s.column_id
WHERE c.column_name IN ('started_at', 'at', 'topic', 'partition', 'offset') AND s.min_value IS NOT NULL
GROUP BY s.data_file_id, c.column_name
