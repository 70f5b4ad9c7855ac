-- mart: rollback_readiness_daily
-- group: scorecard
-- Rollback readiness of each day: could a workflow have been stopped and taken back then? As strong as its weakest link.
-- grain: date, workflow
-- period: date
-- Looked at: the 30 days up to the day, drills 90 days; shadow runs left out. What became known later counts: outcomes, calls that undid
-- another, and the catalog as it is now.
-- A day has a row where these 30 days have a run. Links, each 0 to 1:
--   versions: versions_pinned_ratio;
--   known_good: 1 if an earlier release had 30 settled runs or more and succeeded at least 0.8 times as often as all
--     runs of
--     the workflow; otherwise that release's settled runs ÷ 30 (at most 0.9), 0 without an earlier release;
--   compensation: compensated_write_ratio;
--   drill: 1 if a drill succeeded within 90 days, else 0: one recorded with `plumbline drill` and measured from the traces
--     (drills_measured), or one that the traces themselves state;
--   objective: objective ÷ the longer of stop_minutes and rollback_minutes, at most 1.
-- score is the least link. A link that can't be measured makes it null (not provable), unless another one is 0 already.
-- This is the one place of these formulas: rollback_readiness is its last day. It adds up marts by day (governance_by_day,
-- versions_daily, effects_by_day), so that its cost follows the days, not the runs.
-- columns:
--   date: Day, UTC.
--   workflow: Workflow.
--   as_of: Its end, or the latest event time of the warehouse on its last day.
--   versions_pinned_ratio: Runs that name their release, or both agent and prompt version ÷ runs.
--   known_good_release: The latest earlier release that is known good, else the earlier release with most settled runs.
--   known_good_runs: Its settled runs.
--   known_good_score: The link, 0 to 1.
--   compensated_write_ratio: Write calls whose tool has a compensation in the catalog or was in fact compensated, and
--     irreversible calls in runs with a granted approval ÷ all write and irreversible calls; 1 without such calls, null
--     when tool calls are there and no effect is known.
--   drill_at: Start of the latest successful drill.
--   drill_score: The link, 0 or 1.
--   stop_minutes: Time from trigger to completion of the latest kill switch, in minutes.
--   rollback_minutes: The same for the latest rollback of a version, else of another kind, in minutes.
--   objective_minutes: Time allowed, in minutes: the catalog's, else 15.
--   objective_score: The link, 0 to 1; null when nothing was measured.
--   score: The weakest link, 0 to 1; null when not provable.
--   weakest_link: Its name: 'versions', 'known_good', 'compensation', 'drill' or 'objective'; null when every link holds.
--   detail: What is wrong with it, in one sentence.
--   to_do: The cheapest way to raise that link: for compensation the tool with most uncovered calls. Null when every link holds.
--   to_raise: Every link below 1 or not provable, the weakest first: its name, score, what is wrong, and the cheapest way to raise it.

WITH clock AS MATERIALIZED (
    SELECT latest_at FROM event_clock
),
-- A row of a day counts for that day and the 29 after it.
reach AS (
    SELECT unnest(range(30))::INTEGER AS later
),
pinned AS (
    SELECT
        g.workflow,
        g.date + r.later AS date,
        sum(g.pinned_runs) / sum(g.live_runs) AS versions_pinned_ratio,
        sum(g.judged_successes) / nullif(sum(g.judged_runs), 0) AS success_ratio
    FROM governance_by_day AS g
    CROSS JOIN reach AS r
    CROSS JOIN clock AS k
    WHERE g.live_runs > 0 AND g.date + r.later <= k.latest_at::DATE
    GROUP BY ALL
),
releases AS (
    SELECT
        v.workflow,
        v.date + r.later AS date,
        v.version,
        min(v.first_at) AS first_at,
        max(v.last_at) AS last_at,
        sum(v.settled_runs)::BIGINT AS settled_runs,
        sum(v.successes) / nullif(sum(v.settled_runs), 0) AS success_ratio
    FROM versions_daily AS v
    CROSS JOIN reach AS r
    CROSS JOIN clock AS k
    WHERE v.what = 'release' AND v.date + r.later <= k.latest_at::DATE
    GROUP BY ALL
),
in_service AS (
    SELECT workflow, date, arg_max(first_at, {'at': last_at, 'version': version}) AS first_at
    FROM releases
    GROUP BY workflow, date
),
known_good AS (
    SELECT
        e.workflow,
        e.date,
        e.version,
        e.settled_runs,
        coalesce(e.settled_runs >= 30 AND e.success_ratio >= 0.8 * p.success_ratio, false) AS is_good
    FROM releases AS e
    JOIN pinned AS p USING (workflow, date)
    JOIN in_service AS c USING (workflow, date)
    WHERE e.first_at < c.first_at
    QUALIFY row_number() OVER (
        PARTITION BY e.workflow, e.date
        ORDER BY is_good DESC, CASE WHEN is_good THEN e.first_at END DESC, e.settled_runs DESC, e.version
    ) = 1
),
-- Calls that another run undid: the day's own mart knows those undone within their run.
elsewhere AS MATERIALIZED (  -- few, mostly none: then neither calls nor runs need be read again
    SELECT run_id, tool_call_id FROM stg_undone_elsewhere
),
undone AS (
    SELECT r.started_at::DATE AS date, t.workflow, t.tool_name, t.effect, count(*) AS number
    FROM (
        SELECT run_id, workflow, tool_name, tool_call_id, effect, compensation, compensates
        FROM tool_calls
        WHERE NOT is_undone AND (run_id, tool_call_id) IN (SELECT (run_id, tool_call_id) FROM elsewhere)
    ) AS t
    JOIN runs AS r USING (run_id)
    WHERE t.effect = 'write' AND t.compensation IS NULL AND t.compensates IS NULL
        AND r.mode IS DISTINCT FROM 'shadow'
        AND t.tool_name NOT IN (SELECT compensation FROM catalog_tools WHERE compensation IS NOT NULL)
    GROUP BY ALL
),
effects AS (
    SELECT
        e.workflow,
        e.date + r.later AS date,
        e.tool_name,
        e.effect,
        sum(e.calls) AS calls,
        sum(e.covered_calls + coalesce(u.number, 0)) AS covered
    FROM effects_by_day AS e
    LEFT JOIN undone AS u
        ON u.date = e.date AND u.workflow = e.workflow AND u.tool_name = e.tool_name AND u.effect = e.effect
    CROSS JOIN reach AS r
    CROSS JOIN clock AS k
    WHERE e.date + r.later <= k.latest_at::DATE
    GROUP BY ALL
),
writes AS (
    SELECT
        workflow,
        date,
        CASE
            WHEN sum(calls) FILTER (effect IN ('write', 'irreversible')) > 0
                THEN sum(covered) FILTER (effect IN ('write', 'irreversible'))
                    / sum(calls) FILTER (effect IN ('write', 'irreversible'))
            WHEN count(effect) = count(*) THEN 1.0
        END AS compensated_write_ratio,
        arg_max(
            {'tool_name': tool_name, 'effect': effect, 'number': (calls - covered)::BIGINT},
            {'number': calls - covered, 'tool_name': tool_name}
        ) FILTER (effect IN ('write', 'irreversible') AND calls > covered) AS uncovered
    FROM effects
    GROUP BY workflow, date
),
events AS (
    SELECT
        r.workflow,
        b."at",
        b.kind,
        b.drill,
        CASE WHEN b.completed_at >= b."at" THEN (epoch_us(b.completed_at) - epoch_us(b."at")) / 6e7 END AS minutes,
        coalesce(
            lower(b.status) IN ('success', 'succeeded', 'successful', 'ok', 'completed', 'complete', 'done', 'passed'),
            b.completed_at IS NOT NULL
        ) AS is_success
    FROM rollbacks AS b
    JOIN runs AS r USING (run_id)
    UNION ALL
    SELECT workflow, started_at, 'kill_switch', true, stop_minutes, coalesce(is_success, false) FROM drills_measured
    UNION ALL
    SELECT workflow, started_at, 'version', true, rollback_minutes, is_success
    FROM drills_measured
    WHERE rollback_minutes IS NOT NULL AND is_success
),
day AS (
    SELECT workflow, date, versions_pinned_ratio, least((date + 1)::TIMESTAMP, k.latest_at) AS as_of
    FROM pinned
    CROSS JOIN clock AS k
),
measured AS (
    SELECT
        d.workflow,
        d.date,
        max(e."at") FILTER (e.drill) AS drill_at,
        arg_max(e.minutes, e."at") FILTER (e.kind = 'kill_switch') AS stop_minutes,
        coalesce(
            arg_max(e.minutes, e."at") FILTER (e.kind = 'version'), arg_max(e.minutes, e."at") FILTER (e.kind <> 'kill_switch')
        ) AS rollback_minutes
    FROM (SELECT *, unnest(range(91))::INTEGER AS later FROM events WHERE is_success) AS e
    JOIN day AS d ON d.workflow = e.workflow AND d.date = e."at"::DATE + e.later
    WHERE e."at" > d.as_of - INTERVAL 90 DAY
    GROUP BY d.workflow, d.date
),
linked AS (
    SELECT
        p.date,
        p.workflow,
        p.as_of,
        p.versions_pinned_ratio,
        g.version AS known_good_release,
        coalesce(g.settled_runs, 0) AS known_good_runs,
        CASE WHEN g.is_good THEN 1.0 ELSE least(coalesce(g.settled_runs, 0) / 30, 0.9) END AS known_good_score,
        -- Without a tool call there is nothing to undo.
        CASE WHEN w.workflow IS NULL THEN 1.0 ELSE w.compensated_write_ratio END AS compensated_write_ratio,
        w.uncovered,
        m.drill_at,
        CASE WHEN m.drill_at IS NULL THEN 0.0 ELSE 1.0 END AS drill_score,
        m.stop_minutes,
        m.rollback_minutes,
        coalesce(c.rollback_objective_minutes, 15.0) AS objective_minutes,
        greatest(m.stop_minutes, m.rollback_minutes) AS longest_minutes,
        least(1.0, coalesce(c.rollback_objective_minutes, 15.0) / nullif(longest_minutes, 0)) AS ratio,
        CASE WHEN longest_minutes IS NOT NULL THEN coalesce(ratio, 1.0) END AS objective_score
    FROM day AS p
    LEFT JOIN known_good AS g USING (workflow, date)
    LEFT JOIN writes AS w USING (workflow, date)
    LEFT JOIN measured AS m USING (workflow, date)
    LEFT JOIN catalog_workflows AS c USING (workflow)
),
said AS (
    SELECT
        *,
        least(versions_pinned_ratio, known_good_score, compensated_write_ratio, drill_score, objective_score) AS least_link,
        CASE
            WHEN least_link = 0 OR (compensated_write_ratio IS NOT NULL AND objective_score IS NOT NULL) THEN least_link
        END AS score,
        [
            {
                'link': 'versions',
                'score': versions_pinned_ratio,
                'detail': format('{:.1f} % of runs name the versions they ran under', 100 * versions_pinned_ratio),
                'to_do': 'send plumbline.release, or agent and prompt version, with every run'
            },
            {
                'link': 'known_good',
                'score': known_good_score,
                'detail': CASE
                    WHEN known_good_release IS NULL THEN 'no earlier release ran in these 30 days: none is known to be good'
                    ELSE format('the earlier release has {} settled runs and is not known to be good', known_good_runs)
                END,
                'to_do': CASE
                    WHEN known_good_runs >= 30
                        THEN 'keep in service (a canary will do) a release before that succeeds at least 0.8 times as often as all runs'
                    ELSE 'keep the release before in service (a canary will do) until 30 of its runs are settled'
                END
            },
            {
                'link': 'compensation',
                'score': compensated_write_ratio,
                'detail': CASE
                    WHEN compensated_write_ratio IS NULL THEN 'no tool call tells its effect'
                    ELSE format('{:.1f} % of write calls can be undone or were approved', 100 * compensated_write_ratio)
                END,
                'to_do': CASE
                    WHEN compensated_write_ratio IS NULL THEN 'state the effect of its tools in the catalog (tools:)'
                    WHEN uncovered.effect = 'irreversible'
                        THEN format(
                            'ask for an approval of every {} call ({} were not approved)', uncovered.tool_name, uncovered.number
                        )
                    ELSE format('declare in the catalog what undoes {} ({} calls)', uncovered.tool_name, uncovered.number)
                END
            },
            {
                'link': 'drill',
                'score': drill_score,
                'detail': 'no drill succeeded within 90 days',
                'to_do': 'hold a drill: plumbline drill start, then stop'
            },
            {
                'link': 'objective',
                'score': objective_score,
                'detail': CASE
                    WHEN objective_score IS NULL THEN 'no rollback was ever timed'
                    ELSE format(
                        'stopping and rolling back took {:.0f} minutes, {:.0f} are allowed', longest_minutes, objective_minutes
                    )
                END,
                'to_do': CASE
                    WHEN objective_score IS NULL THEN 'hold a drill: plumbline drill start, then stop'
                    ELSE 'find out what the last rollback waited for, and drill again'
                END
            }
        ] AS links
    FROM linked
),
raised AS (
    SELECT
        *,
        -- What can't be proved comes first where that is why the score is unknown, else last; list_sort compares fields in their order.
        list_transform(
            list_sort(list_transform(
                list_filter(links, lambda l: l.score IS DISTINCT FROM 1),
                lambda l: {
                    'rank': coalesce(l.score, CASE WHEN least_link = 0 THEN 2.0 ELSE -1.0 END),
                    'number': list_position(['versions', 'known_good', 'compensation', 'drill', 'objective'], l.link),
                    'link': l
                }
            )),
            lambda s: s.link
        ) AS to_raise
    FROM said
)
SELECT
    date,
    workflow,
    as_of,
    versions_pinned_ratio,
    known_good_release,
    known_good_runs,
    known_good_score,
    compensated_write_ratio,
    drill_at,
    drill_score,
    stop_minutes,
    rollback_minutes,
    objective_minutes,
    objective_score,
    score,
    to_raise[1].link AS weakest_link,
    coalesce(to_raise[1].detail, 'every link holds') AS detail,
    to_raise[1].to_do AS to_do,
    to_raise
FROM raised
ORDER BY date, workflow
