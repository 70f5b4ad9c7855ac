-- mart: event_clock
-- group: runs
-- The warehouse's clock (stg_clock) as it stood at the last refresh: the marts of one refresh agree on what is late. One row.
-- grain: latest_at
-- columns:
--   latest_at: Latest end of a span, those flagged time_out_of_range left out; null when there is none.

SELECT latest_at FROM stg_clock
