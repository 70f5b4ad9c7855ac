-- view: stg_clock
-- The warehouse's clock: the latest event time of a span whose own clock can be trusted. Windows close against it, not
-- against the wall clock, so that a replay of last year settles last year's runs.
-- grain: one row
-- columns:
--   latest_at: Latest end of a span, those flagged time_out_of_range left out; null when there is none.

-- That of the last hour's spans is a bound below: what ends before it need not be read, and the lake skips most of it by the
-- statistics of its files. Where the last hour has none (a clock that is ahead, no start at all), everything is read.
WITH sound AS NOT MATERIALIZED (  -- each use of it reads another part
    SELECT started_at, ended_at FROM spans WHERE NOT list_contains(coalesce(quality_flags, []), 'time_out_of_range')
),
latest AS (  -- the first in this order, not max(): once a late one is found, files of earlier ones stay unread
    SELECT started_at - INTERVAL 1 HOUR AS "at"
    FROM spans
    WHERE started_at < now()::TIMESTAMP + INTERVAL 2 DAY
    ORDER BY started_at DESC
    LIMIT 1
),
bound AS MATERIALIZED (
    SELECT coalesce(max(coalesce(ended_at, started_at)), TIMESTAMP '-infinity') AS "at"
    FROM sound
    WHERE started_at >= (SELECT "at" FROM latest)
)
SELECT max("at") AS latest_at
FROM (
    SELECT ended_at AS "at" FROM sound WHERE ended_at >= (SELECT "at" FROM bound)
    UNION ALL
    SELECT started_at FROM sound WHERE ended_at IS NULL AND started_at >= (SELECT "at" FROM bound)
)
