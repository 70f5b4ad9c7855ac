-- The checks of `plumbline refresh`, as they came out last.
-- grain: check_name
SELECT * FROM check_results ORDER BY check_name
