-- mart: tool_calls_hourly
-- group: calls
-- How tools were called, by hour: additive sums from which any period's error ratio with its interval, and any quantile of the
-- duration, follow without reading the calls again. Shadow runs are among them.
-- grain: date, hour_at, workflow, environment, team, release, tool_name
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   hour_at: Hour of the run's start.
--   workflow: The run's workflow.
--   environment: The run's environment; null where it names none.
--   team: The run's team; null where it names none.
--   release: The run's release; null where it names none.
--   tool_name: Tool called.
--   calls: Its calls.
--   runs: Runs that called it.
--   spanned_calls: Calls with a span of the tool: only of these it is known whether they failed.
--   errors: Calls whose span has status 'error'.
--   spanned_calls_squared: Sum over runs of spanned_calls²; this and the next two give the variance over runs, as calls of one run fail together.
--   errors_squared: Sum over runs of errors².
--   errors_by_calls: Sum over runs of errors × spanned_calls.
--   timed_calls: Calls with a duration.
--   duration_ms: Sum of their durations, in milliseconds.
--   durations: Calls by duration: bucket b holds those of 2^(b/8) to 2^((b+1)/8) milliseconds, so the geometric middle is at most
--     4.5 % off; what is shorter than a microsecond counts as one.
--   read_calls: Calls of effect 'read'.
--   write_calls: Calls of effect 'write'.
--   irreversible_calls: Calls of effect 'irreversible'.
--   last_at: Start of the last of these calls.

WITH called AS (
    SELECT
        r.started_at AS run_started_at,
        r.workflow,
        r.environment,
        r.team,
        r.release,
        t.run_id,
        t.tool_name,
        t.started_at,
        t.status,
        t.effect,
        t.duration_ms,
        count(t.status) OVER of_run AS run_calls,
        count(*) FILTER (t.status = 'error') OVER of_run AS run_errors
    FROM tool_calls AS t
    JOIN runs AS r USING (run_id)
    WHERE r.started_at IS NOT NULL AND t.tool_name IS NOT NULL
    WINDOW of_run AS (PARTITION BY t.run_id, t.tool_name)
)
SELECT
    run_started_at::DATE AS date,
    date_trunc('hour', run_started_at) AS hour_at,
    workflow,
    environment,
    team,
    release,
    tool_name,
    count(*) AS calls,
    count(DISTINCT run_id) AS runs,
    count(status) AS spanned_calls,
    count(*) FILTER (status = 'error') AS errors,
    coalesce(sum(run_calls) FILTER (status IS NOT NULL), 0)::BIGINT AS spanned_calls_squared,
    coalesce(sum(run_errors) FILTER (status = 'error'), 0)::BIGINT AS errors_squared,
    coalesce(sum(run_calls) FILTER (status = 'error'), 0)::BIGINT AS errors_by_calls,
    count(duration_ms) FILTER (duration_ms >= 0) AS timed_calls,
    sum(duration_ms) FILTER (duration_ms >= 0) AS duration_ms,
    histogram(floor(8 * log2(greatest(duration_ms, 0.001)))::INTEGER) FILTER (duration_ms >= 0) AS durations,
    count(*) FILTER (effect = 'read') AS read_calls,
    count(*) FILTER (effect = 'write') AS write_calls,
    count(*) FILTER (effect = 'irreversible') AS irreversible_calls,
    max(started_at) AS last_at
FROM called
GROUP BY 1, 2, 3, 4, 5, 6, 7
ORDER BY 1, 2, 3, 4, 5, 6, 7
