-- Files that no snapshot needs and that wait for their deletion. Run by SQLite on a copy of the catalog.
SELECT path, path_is_relative FROM ducklake_files_scheduled_for_deletion
