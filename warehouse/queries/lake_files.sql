-- Files that any kept snapshot reads, the files of deleted rows among them. Run by SQLite on a copy of the catalog.
-- path: below the data directory, unless is_relative is 0; data_file_id: the file itself, or the one whose rows are deleted.
WITH tables AS (
    -- The latest name: SQLite takes the other columns from the row of the maximum.
    SELECT t.table_id, t.table_name, s.path || t.path AS folder, s.path_is_relative AND t.path_is_relative AS is_relative,
        max(t.begin_snapshot)
    FROM ducklake_table AS t
    JOIN ducklake_schema AS s ON s.schema_id = t.schema_id
    GROUP BY t.table_id
)
SELECT
    'data' AS kind,
    f.data_file_id,
    t.table_name,
    CASE WHEN f.path_is_relative THEN t.folder || f.path ELSE f.path END AS path,
    f.path_is_relative AND t.is_relative AS is_relative,
    f.file_size_bytes,
    f.record_count,
    f.end_snapshot IS NULL AS is_current
FROM ducklake_data_file AS f
JOIN tables AS t ON t.table_id = f.table_id
UNION ALL
SELECT
    'deletes',
    d.data_file_id,
    t.table_name,
    CASE WHEN d.path_is_relative THEN t.folder || d.path ELSE d.path END,
    d.path_is_relative AND t.is_relative,
    d.file_size_bytes,
    d.delete_count,
    d.end_snapshot IS NULL
FROM ducklake_delete_file AS d
JOIN tables AS t ON t.table_id = d.table_id
ORDER BY 4
