-- Each release beside what it is compared with, the newest first: as of the last refresh.
-- grain: workflow, compared_with, from_release, to_release, measure
-- $1 workflow or null
SELECT *
FROM release_comparisons
WHERE $1::VARCHAR IS NULL OR workflow = $1::VARCHAR
ORDER BY workflow, to_first_at DESC NULLS LAST, to_release, compared_with DESC, from_release
