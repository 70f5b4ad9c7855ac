-- A number that rises whenever a table was made anew. One row.
SELECT max(table_id) AS table_id
FROM ducklake_table_info('lake')
