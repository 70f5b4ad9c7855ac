-- Take files out of the catalog whose bytes are gone: no snapshot refers to them any more. Run by SQLite in one transaction.
-- temporary table lost (path): the files, below the data directory
CREATE TEMP TABLE forgotten AS
SELECT 'data' AS kind, f.data_file_id AS file_id, f.data_file_id, f.table_id, f.record_count, f.file_size_bytes
FROM ducklake_data_file AS f
JOIN ducklake_table AS t ON t.table_id = f.table_id
JOIN ducklake_schema AS s ON s.schema_id = t.schema_id
JOIN lost ON lost.path = s.path || t.path || f.path
GROUP BY f.data_file_id
UNION ALL
SELECT 'deletes', d.delete_file_id, d.data_file_id, d.table_id, 0, 0
FROM ducklake_delete_file AS d
JOIN ducklake_table AS t ON t.table_id = d.table_id
JOIN ducklake_schema AS s ON s.schema_id = t.schema_id
JOIN lost ON lost.path = s.path || t.path || d.path
GROUP BY d.delete_file_id;

INSERT INTO ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
SELECT snapshot_id + 1, strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00', schema_version, next_catalog_id, next_file_id
FROM ducklake_snapshot
WHERE EXISTS (SELECT 1 FROM forgotten)
ORDER BY snapshot_id DESC
LIMIT 1;

INSERT INTO ducklake_snapshot_changes (snapshot_id, changes_made, author, commit_message)
SELECT
    (SELECT max(snapshot_id) FROM ducklake_snapshot),
    group_concat(DISTINCT 'deleted_from_table:' || table_id),
    'plumbline doctor',
    'files given up: ' || count(*)
FROM forgotten
HAVING count(*) > 0;

UPDATE ducklake_table_stats
SET
    record_count = record_count - (SELECT coalesce(sum(g.record_count), 0) FROM forgotten AS g WHERE g.table_id = ducklake_table_stats.table_id),
    file_size_bytes = file_size_bytes
        - (SELECT coalesce(sum(g.file_size_bytes), 0) FROM forgotten AS g WHERE g.table_id = ducklake_table_stats.table_id)
WHERE table_id IN (SELECT table_id FROM forgotten);

DELETE FROM ducklake_delete_file WHERE delete_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'deletes');
DELETE FROM ducklake_delete_file WHERE data_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'data');
DELETE FROM ducklake_file_column_stats WHERE data_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'data');
DELETE FROM ducklake_file_variant_stats WHERE data_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'data');
DELETE FROM ducklake_file_partition_value WHERE data_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'data');
DELETE FROM ducklake_data_file WHERE data_file_id IN (SELECT file_id FROM forgotten WHERE kind = 'data');
