-- mart: rollback_readiness
-- group: scorecard
-- Rollback readiness: could each workflow be stopped and taken back today? As strong as its weakest link.
-- grain: workflow
-- Looked at: the 30 days before as_of; drills 90 days; shadow runs left out. Links, each 0 to 1:
--   versions: versions_pinned_ratio;
--   known_good: 1 if an earlier release had 30 settled runs or more and succeeded at least 0.8 times as often as all
--     runs of
--     the workflow; otherwise that release's settled runs ÷ 30 (at most 0.9), 0 without an earlier release;
--   compensation: compensated_write_ratio;
--   drill: 1 if a drill succeeded within 90 days, else 0: one recorded with `plumbline drill` and measured from the traces
--     (drills_measured), or one that the traces themselves state;
--   objective: objective ÷ the longer of stop_minutes and rollback_minutes, at most 1.
-- score is the least link. A link that can't be measured makes it null (not provable), unless another one is 0 already.
-- columns:
--   workflow: Workflow.
--   as_of: Latest event time of the warehouse.
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
--   weakest_link: Its name: 'versions', 'known_good', 'compensation', 'drill' or 'objective'.
--   detail: What is wrong with it, in one sentence.
--   to_do: The cheapest way to raise that link: for compensation the tool with most uncovered calls. Null when every link holds.

WITH clock AS MATERIALIZED (
    SELECT latest_at FROM event_clock
),
recent AS (
    SELECT r.*, k.latest_at, coalesce(r.release, r.agent_version) AS version
    FROM runs AS r
    CROSS JOIN clock AS k
    WHERE r.started_at > k.latest_at - INTERVAL 30 DAY
        AND r.started_at <= k.latest_at
        AND r.mode IS DISTINCT FROM 'shadow'
),
pinned AS (
    SELECT
        workflow,
        any_value(latest_at) AS as_of,
        avg((release IS NOT NULL OR (agent_version IS NOT NULL AND prompt_version IS NOT NULL))::INTEGER)
            AS versions_pinned_ratio,
        arg_max(version, started_at) AS current_version,
        avg((outcome = 'success')::INTEGER) FILTER (NOT is_pending) AS success_ratio
    FROM recent
    GROUP BY workflow
),
releases AS (
    SELECT
        workflow,
        version,
        min(started_at) AS first_at,
        count(*) FILTER (NOT is_pending) AS settled_runs,
        avg((outcome IS NOT DISTINCT FROM 'success')::INTEGER) FILTER (NOT is_pending) AS success_ratio
    FROM recent
    WHERE version IS NOT NULL
    GROUP BY workflow, version
),
known_good AS (
    SELECT
        e.workflow,
        e.version,
        e.settled_runs,
        coalesce(e.settled_runs >= 30 AND e.success_ratio >= 0.8 * p.success_ratio, false) AS is_good
    FROM releases AS e
    JOIN pinned AS p USING (workflow)
    JOIN releases AS c ON c.workflow = e.workflow AND c.version = p.current_version
    WHERE e.first_at < c.first_at
    QUALIFY row_number() OVER (
        PARTITION BY e.workflow
        ORDER BY is_good DESC, CASE WHEN is_good THEN e.first_at END DESC, e.settled_runs DESC, e.version
    ) = 1
),
granted AS (
    SELECT DISTINCT run_id, tool_name FROM approvals WHERE status = 'granted'
),
calls AS (
    SELECT
        t.workflow,
        t.effect,
        t.tool_name,
        CASE t.effect
            WHEN 'write' THEN t.compensation IS NOT NULL OR t.tool_call_id IN (
                SELECT compensates FROM spans WHERE compensates IS NOT NULL
            )
            WHEN 'irreversible' THEN EXISTS (
                SELECT 1
                FROM granted AS g
                WHERE g.run_id = t.run_id AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
            )
        END AS is_covered
    FROM tool_calls AS t
    JOIN recent AS r USING (run_id)
    -- A call that undoes another is itself the compensation.
    WHERE t.compensates IS NULL
        AND t.tool_name NOT IN (SELECT compensation FROM catalog_tools WHERE compensation IS NOT NULL)
),
writes AS (
    SELECT
        workflow,
        CASE
            WHEN count(*) FILTER (effect IN ('write', 'irreversible')) > 0
                THEN avg(coalesce(is_covered, false)::INTEGER) FILTER (effect IN ('write', 'irreversible'))
            WHEN count(effect) = count(*) THEN 1.0
        END AS compensated_write_ratio
    FROM calls
    GROUP BY workflow
),
uncovered AS (
    SELECT workflow, tool_name, effect, count(*) AS number
    FROM calls
    WHERE effect IN ('write', 'irreversible') AND NOT coalesce(is_covered, false)
    GROUP BY workflow, tool_name, effect
    QUALIFY row_number() OVER (PARTITION BY workflow ORDER BY number DESC, tool_name) = 1
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
measured AS (
    SELECT
        workflow,
        max("at") FILTER (drill) AS drill_at,
        arg_max(minutes, "at") FILTER (kind = 'kill_switch') AS stop_minutes,
        coalesce(
            arg_max(minutes, "at") FILTER (kind = 'version'), arg_max(minutes, "at") FILTER (kind <> 'kill_switch')
        ) AS rollback_minutes
    FROM events
    CROSS JOIN clock AS k
    WHERE is_success AND "at" > k.latest_at - INTERVAL 90 DAY
    GROUP BY workflow
),
linked AS (
    SELECT
        p.workflow,
        p.as_of,
        p.versions_pinned_ratio,
        g.version AS known_good_release,
        coalesce(g.settled_runs, 0) AS known_good_runs,
        CASE WHEN g.is_good THEN 1.0 ELSE least(coalesce(g.settled_runs, 0) / 30, 0.9) END AS known_good_score,
        -- Without a tool call there is nothing to undo.
        CASE WHEN w.workflow IS NULL THEN 1.0 ELSE w.compensated_write_ratio END AS compensated_write_ratio,
        m.drill_at,
        CASE WHEN m.drill_at IS NULL THEN 0.0 ELSE 1.0 END AS drill_score,
        m.stop_minutes,
        m.rollback_minutes,
        coalesce(c.rollback_objective_minutes, 15.0) AS objective_minutes,
        least(1.0, objective_minutes / nullif(greatest(m.stop_minutes, m.rollback_minutes), 0)) AS ratio,
        CASE WHEN m.stop_minutes IS NOT NULL OR m.rollback_minutes IS NOT NULL THEN coalesce(ratio, 1.0) END
            AS objective_score
    FROM pinned AS p
    LEFT JOIN known_good AS g USING (workflow)
    LEFT JOIN writes AS w USING (workflow)
    LEFT JOIN measured AS m USING (workflow)
    LEFT JOIN catalog_workflows AS c USING (workflow)
),
weakest AS (
    SELECT
        *,
        least(versions_pinned_ratio, known_good_score, compensated_write_ratio, drill_score, objective_score) AS least_link,
        CASE
            WHEN least_link = 0 OR (compensated_write_ratio IS NOT NULL AND objective_score IS NOT NULL) THEN least_link
        END AS score,
        CASE
            WHEN score IS NULL AND compensated_write_ratio IS NULL THEN 'compensation'
            WHEN score IS NULL THEN 'objective'
            WHEN score = versions_pinned_ratio THEN 'versions'
            WHEN score = known_good_score THEN 'known_good'
            WHEN score = compensated_write_ratio THEN 'compensation'
            WHEN score = drill_score THEN 'drill'
            ELSE 'objective'
        END AS weakest_link
    FROM linked
)
SELECT
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
    weakest_link,
    CASE
        WHEN score = 1 THEN 'every link holds'
        WHEN weakest_link = 'versions'
            THEN format('{:.1f} % of runs name the versions they ran under', 100 * versions_pinned_ratio)
        WHEN weakest_link = 'known_good' AND known_good_release IS NULL THEN 'there is no earlier release to go back to'
        WHEN weakest_link = 'known_good'
            THEN format('the earlier release has {} settled runs and is not known to be good', known_good_runs)
        WHEN weakest_link = 'compensation' AND score IS NULL THEN 'no tool call tells its effect'
        WHEN weakest_link = 'compensation'
            THEN format('{:.1f} % of write calls can be undone or were approved', 100 * compensated_write_ratio)
        WHEN weakest_link = 'drill' THEN 'no drill succeeded within 90 days'
        WHEN score IS NULL THEN 'no rollback was ever timed'
        ELSE format(
            'stopping and rolling back took {:.0f} minutes, {:.0f} are allowed',
            greatest(stop_minutes, rollback_minutes), objective_minutes
        )
    END AS detail,
    CASE
        WHEN score = 1 THEN NULL
        WHEN weakest_link = 'versions' THEN 'send plumbline.release, or agent and prompt version, with every run'
        WHEN weakest_link = 'known_good'
            THEN 'keep the release before in service (a canary will do) until 30 of its runs are settled'
        WHEN weakest_link = 'compensation' AND score IS NULL
            THEN 'state the effect of its tools in the catalog (tools:)'
        WHEN weakest_link = 'compensation' AND u.effect = 'irreversible'
            THEN format('ask for an approval of every {} call ({} were not approved)', u.tool_name, u.number)
        WHEN weakest_link = 'compensation'
            THEN format('declare in the catalog what undoes {} ({} calls)', u.tool_name, u.number)
        WHEN weakest_link = 'drill' OR score IS NULL THEN 'hold a drill: plumbline drill start, then stop'
        ELSE 'find out what the last rollback waited for, and drill again'
    END AS to_do
FROM weakest
LEFT JOIN uncovered AS u USING (workflow)
ORDER BY workflow
