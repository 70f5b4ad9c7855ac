-- When releases were last compared: later than the marts that queries/revision.sql knows. One row.
SELECT max(computed_at) AS computed_at
FROM release_comparisons
