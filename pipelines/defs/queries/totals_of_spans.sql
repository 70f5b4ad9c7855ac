-- What runs must add up to, by the spans, as of one snapshot.
-- grain: one row
-- parameters: ? the lake's snapshot
SELECT
    count(DISTINCT run_id) AS runs,
    count(*) FILTER (kind = 'model') AS model_calls,
    count(*) FILTER (kind = 'tool') AS tool_calls
FROM spans AT (VERSION => ?)
