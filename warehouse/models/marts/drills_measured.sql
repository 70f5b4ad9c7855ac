-- mart: drills_measured
-- group: scorecard
-- Rollback drills as the traces saw them: how long the stopped release went on acting, and when another one took over.
-- grain: drill_id
-- period: started_at
-- An action is a span of kind model, tool or retrieval of a run of the workflow, shadow runs left out. A drill succeeded when it
-- has ended, there was something to stop, and the release no longer acted in the last tenth of the exercise.
-- columns:
--   drill_id: The drill.
--   workflow: Workflow that was stopped.
--   release: Release or agent version that was stopped.
--   started_at: The trigger.
--   stopped_at: End of the exercise; null while it goes on.
--   was_running: Whether the release acted in the hour before the trigger: else there was nothing to stop.
--   last_action_at: End of the last action of the stopped release that was under way at the trigger or later, up to the end of the
--     exercise; null when there was none.
--   stop_minutes: Time from the trigger to last_action_at, in minutes, at most to the end of the exercise; 0 when it did not act any
--     more; null when it was not running.
--   taken_over_by: Release or agent version of the first run of another one that started during the exercise.
--   rollback_minutes: Time from the trigger to the start of that run, in minutes; null when there was none.
--   is_success: Whether it succeeded; null while it goes on.

WITH drill AS (
    SELECT d.*, coalesce(d.stopped_at, k.latest_at) AS until_at
    FROM drills AS d
    CROSS JOIN event_clock AS k
),
version AS (
    SELECT run_id, workflow, started_at, coalesce(release, agent_version) AS release
    FROM runs
    WHERE mode IS DISTINCT FROM 'shadow' AND workflow IN (SELECT workflow FROM drills)
),
action AS (
    SELECT
        d.drill_id,
        d.started_at AS triggered_at,
        s.started_at,
        least(coalesce(s.ended_at, s.started_at), d.until_at) AS ended_at
    FROM drill AS d
    JOIN version AS v ON v.workflow = d.workflow AND v.release = d.release
    JOIN spans AS s ON s.run_id = v.run_id AND s.kind IN ('model', 'tool', 'retrieval')
    -- The day as a bound of its own lets the lake skip the files of other days.
    WHERE s.started_at BETWEEN d.started_at - INTERVAL 1 DAY AND d.until_at
),
acted AS (
    SELECT
        drill_id,
        count(*) FILTER (ended_at > triggered_at - INTERVAL 1 HOUR AND started_at < triggered_at) > 0 AS was_running,
        max(ended_at) FILTER (ended_at >= triggered_at) AS last_action_at
    FROM action
    GROUP BY drill_id
),
replaced AS (
    SELECT d.drill_id, min(v.started_at) AS first_at, arg_min(v.release, v.started_at) AS release
    FROM drill AS d
    JOIN version AS v ON v.workflow = d.workflow AND v.release <> d.release
    WHERE v.started_at BETWEEN d.started_at AND d.until_at
    GROUP BY d.drill_id
)
SELECT
    d.drill_id,
    d.workflow,
    d.release,
    d.started_at,
    d.stopped_at,
    coalesce(a.was_running, false) AS was_running,
    a.last_action_at,
    CASE
        WHEN NOT coalesce(a.was_running, false) THEN NULL
        ELSE coalesce((epoch_us(a.last_action_at) - epoch_us(d.started_at)) / 6e7, 0)
    END AS stop_minutes,
    r.release AS taken_over_by,
    (epoch_us(r.first_at) - epoch_us(d.started_at)) / 6e7 AS rollback_minutes,
    CASE
        WHEN d.stopped_at IS NOT NULL
            THEN coalesce(a.was_running, false)
                AND coalesce(a.last_action_at < d.stopped_at - (d.stopped_at - d.started_at) / 10, true)
    END AS is_success
FROM drill AS d
LEFT JOIN acted AS a USING (drill_id)
LEFT JOIN replaced AS r USING (drill_id)
ORDER BY d.started_at, d.drill_id
