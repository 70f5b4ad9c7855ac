-- How many runs the spans tell of, as of one snapshot.
-- parameters: ? the lake's snapshot
SELECT count(DISTINCT run_id) AS runs
FROM spans AT (VERSION => ?)
