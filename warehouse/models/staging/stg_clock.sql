-- view: stg_clock
-- The warehouse's clock: the latest event time of a span whose own clock can be trusted. Windows close against it, not
-- against the wall clock, so that a replay of last year settles last year's runs.
-- grain: one row
-- columns:
--   latest_at: Latest end of a span, those flagged time_out_of_range left out; null when there is none.

SELECT max(coalesce(ended_at, started_at)) AS latest_at
FROM spans
WHERE NOT list_contains(coalesce(quality_flags, []), 'time_out_of_range')
