-- mart: reliability_contract
-- group: scorecard
-- The reliability contract: seven clauses of each workflow, checked from its traces; kept, broken or not provable.
-- grain: workflow, clause
-- Looked at: the 30 days up to that of as_of; shadow runs left out. A clause is broken when something seen breaks it, not provable when
-- nothing does but something needed for the proof is missing, and kept otherwise. What every run of a workflow lacks was never
-- sent, which proves nothing; what only some of them lack breaks the clauses on traceability and evidence.
--   policy boundaries: no action was carried out that a policy had denied, and every decision of a policy in the catalog was made
--     under the version in force;
--   least privilege: who asked and which agent acted is known, and no tool call had an effect beyond the catalog's effects_allowed;
--   traceability: every settled run names its versions, and every tool call has a span of its own;
--   approvals: every irreversible call has a granted approval in its run, and none was bypassed;
--   rollback and stop: rollback_readiness is 1; broken by the runs that its weakest link is about: those that do not name their
--     versions, those of the release in service that has none to go back to, those with a write that can't be taken back, and those
--     that a rollback took too long for;
--   audit evidence: the decision path of every settled run can be rebuilt (audit_by_run);
--   cost envelope: a success costs no more than the catalog's objective, and the month has not spent more than the budget; broken by
--     the runs that failed or cost more than a success may, or by those of the month that came when the budget was spent.
-- columns:
--   workflow: Workflow.
--   clause_number: 1 to 7, in the order above.
--   clause: Name of the clause.
--   state: 'kept', 'broken' or 'not provable'.
--   as_of: Latest event time of the warehouse.
--   checked: What it was checked on: decisions, runs, settled runs, irreversible calls, 1, settled runs, settled runs.
--   broken_runs: Runs that break it.
--   run_ids: Up to 20 of them, latest first; for the cost envelope the dearest first.
--   detail: What was found, in one sentence.
--   to_do: What to send, declare or do; null when it is kept.

WITH recent AS (
    SELECT r.*, a.* EXCLUDE (run_id, workflow, started_at), k.latest_at
    FROM runs AS r
    -- Its start is the run's: bounds of its own leave most of either unread.
    JOIN audit_by_run AS a ON a.run_id = r.run_id
        AND a.started_at >= (SELECT latest_at::DATE - 29 FROM event_clock)
        AND a.started_at <= (SELECT latest_at FROM event_clock)
    CROSS JOIN event_clock AS k
    WHERE r.started_at >= (SELECT latest_at::DATE - 29 FROM event_clock)
        AND r.started_at <= (SELECT latest_at FROM event_clock)
        AND r.mode IS DISTINCT FROM 'shadow'
),
workflow AS (
    SELECT workflow, any_value(latest_at) AS as_of, count(*) AS runs, count(*) FILTER (is_settled) AS settled_runs
    FROM recent
    GROUP BY workflow
),
-- What the days know of these runs: how much there was to check, and whether any of it breaks a clause. The rows themselves are
-- looked at only for what they have to tell then.
counted AS (
    SELECT
        d.workflow,
        sum(d.decisions)::BIGINT AS decisions,
        sum(d.unversioned_decisions)::BIGINT AS unversioned_decisions,
        sum(d.irreversible_calls)::BIGINT AS irreversible_calls,
        sum(d.calls_of_unknown_effect)::BIGINT AS calls_of_unknown_effect,
        sum(d.boundary_breaking_runs) > 0 AS has_decisions_to_tell,
        sum(d.privilege_breaking_runs + d.approval_breaking_runs + d.calls_of_unknown_effect) > 0 AS has_calls_to_tell
    FROM contract_by_day AS d
    WHERE d.date BETWEEN (SELECT latest_at::DATE - 29 FROM event_clock) AND (SELECT latest_at::DATE FROM event_clock)
    GROUP BY d.workflow
),
decision AS (
    SELECT
        r.workflow,
        r.run_id,
        r.started_at,
        d.action = 'deny' AND d.enforced IS NOT DISTINCT FROM false AS is_overstepped,
        d.policy_version IS NOT NULL AND p.version IS NOT NULL AND d.policy_version <> p.version AS is_outdated
    FROM policy_decisions AS d
    JOIN (SELECT * FROM recent WHERE workflow IN (SELECT workflow FROM counted WHERE has_decisions_to_tell)) AS r USING (run_id)
    ASOF LEFT JOIN (SELECT policy, version, effective_at FROM catalog_policies) AS p
        ON p.policy = d.policy AND p.effective_at <= d."at"
),
boundaries AS (
    SELECT
        w.workflow,
        1 AS clause_number,
        'policy boundaries' AS clause,
        k.decisions AS checked,
        d.broken,
        CASE
            WHEN d.broken IS NOT NULL
                THEN format(
                    '{} denied actions were carried out, {} decisions were made under a version not in force', d.overstepped, d.outdated
                )
            WHEN k.decisions = 0 THEN 'no policy decision was sent'
            WHEN k.unversioned_decisions > 0 THEN 'decisions do not say under which version they were made'
            ELSE format('{} decisions', k.decisions)
        END AS detail,
        CASE
            WHEN k.decisions = 0 THEN 'send a span event plumbline.policy.decision'
            WHEN k.unversioned_decisions > 0 THEN 'send plumbline.policy.version with each decision'
        END AS lacks,
        'see the runs: plumbline audit RUN_ID' AS mend
    FROM workflow AS w
    JOIN counted AS k USING (workflow)
    LEFT JOIN (
        SELECT
            workflow,
            list(DISTINCT {'at': started_at, 'run_id': run_id}) FILTER (is_overstepped OR is_outdated) AS broken,
            count(*) FILTER (is_overstepped) AS overstepped,
            count(*) FILTER (is_outdated) AS outdated
        FROM decision
        GROUP BY workflow
    ) AS d USING (workflow)
),
-- A call begins no earlier than its run, which leaves most of them unread; unless the clock of a span was wrong, or missing.
recent_call AS (
    SELECT * FROM tool_calls WHERE started_at >= (SELECT latest_at::DATE - 29 FROM event_clock)
    UNION ALL BY NAME
    SELECT *
    FROM tool_calls
    WHERE (started_at < (SELECT latest_at::DATE - 29 FROM event_clock) OR started_at IS NULL)
        AND run_id IN (
            SELECT run_id FROM recent WHERE list_has_any(quality_flags, ['time_out_of_range', 'time_missing'])
        )
),
call AS (
    SELECT
        r.workflow,
        r.run_id,
        r.started_at,
        t.tool_name,
        t.effect,
        NOT list_contains(c.effects_allowed, t.effect) AS is_beyond,
        t.effect = 'irreversible' AND NOT EXISTS (
            SELECT 1
            FROM approvals AS g
            WHERE g.run_id = t.run_id AND g.status = 'granted' AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
        ) AS is_unapproved,
        t.effect = 'write' AND t.compensation IS NULL AND t.compensates IS NULL AND NOT t.is_undone AND u.run_id IS NULL
            AND t.tool_name NOT IN (SELECT compensation FROM catalog_tools WHERE compensation IS NOT NULL) AS is_final
    FROM recent_call AS t
    JOIN (
        SELECT *
        FROM recent
        WHERE workflow IN (
            SELECT workflow FROM counted WHERE has_calls_to_tell
            UNION ALL
            SELECT workflow FROM rollback_readiness WHERE weakest_link = 'compensation'
        )
    ) AS r USING (run_id)
    LEFT JOIN stg_undone_elsewhere AS u ON u.run_id = t.run_id AND u.tool_call_id = t.tool_call_id
    LEFT JOIN catalog_workflows AS c ON c.workflow = r.workflow
),
called AS (
    SELECT k.workflow, k.irreversible_calls, k.calls_of_unknown_effect, c.* EXCLUDE (workflow)
    FROM counted AS k
    LEFT JOIN (
        SELECT
            workflow,
            list(DISTINCT {'at': started_at, 'run_id': run_id}) FILTER (is_beyond) AS beyond,
            list(DISTINCT {'at': started_at, 'run_id': run_id}) FILTER (is_unapproved) AS unapproved,
            count(*) FILTER (is_beyond) AS beyond_calls,
            count(*) FILTER (is_unapproved) AS unapproved_calls,
            min(tool_name) FILTER (effect IS NULL) AS tool_of_unknown_effect
        FROM call
        GROUP BY workflow
    ) AS c USING (workflow)
),
identity AS (
    SELECT
        w.workflow,
        2 AS clause_number,
        'least privilege' AS clause,
        w.runs AS checked,
        c.beyond AS broken,
        CASE
            WHEN broken IS NOT NULL THEN format('{} calls had an effect that the catalog does not allow', c.beyond_calls)
            WHEN a.nameless > 0 THEN format('{} of {} runs do not say who asked, or which agent acted', a.nameless, w.runs)
            WHEN d.effects_allowed IS NULL THEN 'the catalog does not say which effects it may have'
            WHEN c.calls_of_unknown_effect > 0
                THEN format('the effect of {} calls is not known', c.calls_of_unknown_effect)
            ELSE format('effects within {}', array_to_string(d.effects_allowed, ', '))
        END AS detail,
        CASE
            WHEN a.nameless > 0 THEN 'send gen_ai.agent.name, and user.id or gen_ai.conversation.id, on the root span'
            WHEN d.effects_allowed IS NULL THEN 'state effects_allowed of the workflow in the catalog'
            WHEN c.calls_of_unknown_effect > 0
                THEN format('state the effect of {} in the catalog (tools:)', coalesce(c.tool_of_unknown_effect, 'its tools'))
        END AS lacks,
        'see the runs: plumbline audit RUN_ID' AS mend
    FROM workflow AS w
    JOIN called AS c USING (workflow)
    JOIN (SELECT workflow, count(*) FILTER (NOT has_identity) AS nameless FROM recent GROUP BY workflow) AS a USING (workflow)
    LEFT JOIN catalog_workflows AS d USING (workflow)
),
traced AS (
    SELECT
        workflow,
        count(*) FILTER (is_settled AND NOT (has_versions AND coalesce(has_tool_results, true))) AS untraced,
        list({'at': started_at, 'run_id': run_id})
            FILTER (is_settled AND NOT (has_versions AND coalesce(has_tool_results, true))) AS untraced_runs,
        count(*) FILTER (is_settled AND NOT has_versions) AS unversioned,
        count(*) FILTER (is_settled AND NOT is_complete) AS incomplete,
        list({'at': started_at, 'run_id': run_id}) FILTER (is_settled AND NOT is_complete) AS incomplete_runs,
        mode(missing[1]) FILTER (is_settled AND NOT is_complete) AS mostly_missing
    FROM recent
    GROUP BY workflow
),
traceability AS (
    SELECT
        w.workflow,
        3 AS clause_number,
        'traceability' AS clause,
        w.settled_runs AS checked,
        CASE WHEN t.untraced < w.settled_runs THEN t.untraced_runs END AS broken,
        CASE
            WHEN t.untraced > 0
                THEN format('{} of {} settled runs lack a version or a tool call''s own span', t.untraced, w.settled_runs)
            ELSE format('{} settled runs', w.settled_runs)
        END AS detail,
        CASE
            WHEN w.settled_runs = 0 THEN 'no run is settled yet'
            WHEN t.unversioned > 0 THEN 'send plumbline.release and plumbline.prompt.version'
            WHEN t.untraced > 0 THEN 'send a span of its own for each tool call'
        END AS lacks,
        lacks AS mend
    FROM workflow AS w
    JOIN traced AS t USING (workflow)
),
bypass AS (
    SELECT r.workflow, list(DISTINCT {'at': r.started_at, 'run_id': r.run_id}) AS bypassed, count(*) AS bypasses
    FROM approvals AS a
    JOIN recent AS r USING (run_id)
    WHERE a.status = 'bypassed'
    GROUP BY r.workflow
),
approval AS (
    SELECT
        c.workflow,
        4 AS clause_number,
        'approvals' AS clause,
        c.irreversible_calls AS checked,
        list_distinct(coalesce(c.unapproved, []) || coalesce(b.bypassed, [])) AS found,
        CASE WHEN len(found) > 0 THEN found END AS broken,
        CASE
            WHEN broken IS NOT NULL
                THEN format(
                    '{} irreversible calls without a granted approval, {} approvals bypassed',
                    coalesce(c.unapproved_calls, 0), coalesce(b.bypasses, 0)
                )
            WHEN c.calls_of_unknown_effect > 0
                THEN format('whether {} calls needed one is not known', c.calls_of_unknown_effect)
            WHEN c.irreversible_calls = 0 THEN 'no call that can''t be undone'
            ELSE format('{} irreversible calls, all approved', c.irreversible_calls)
        END AS detail,
        CASE
            WHEN c.calls_of_unknown_effect > 0
                THEN format('state the effect of {} in the catalog (tools:)', coalesce(c.tool_of_unknown_effect, 'its tools'))
        END AS lacks,
        'ask for an approval of these calls, and send a span event plumbline.approval' AS mend
    FROM called AS c
    LEFT JOIN bypass AS b USING (workflow)
),
in_service AS (
    SELECT workflow, arg_max(coalesce(release, agent_version), {'at': started_at, 'run_id': run_id}) AS version
    FROM recent
    WHERE coalesce(release, agent_version) IS NOT NULL
    GROUP BY workflow
),
exposed AS (
    SELECT r.workflow, r.started_at, r.run_id
    FROM recent AS r
    JOIN rollback_readiness AS b USING (workflow)
    LEFT JOIN in_service AS v USING (workflow)
    LEFT JOIN (SELECT DISTINCT run_id FROM call WHERE is_final OR is_unapproved) AS c USING (run_id)
    WHERE CASE b.weakest_link
        WHEN 'versions' THEN r.release IS NULL AND (r.agent_version IS NULL OR r.prompt_version IS NULL)
        WHEN 'known_good' THEN coalesce(r.release, r.agent_version) = v.version
        WHEN 'compensation' THEN c.run_id IS NOT NULL
    END
    UNION
    SELECT r.workflow, r.started_at, r.run_id
    FROM rollbacks AS e
    JOIN runs AS r USING (run_id)
    JOIN rollback_readiness AS b ON b.workflow = r.workflow
    WHERE b.weakest_link = 'objective'
        AND e."at" BETWEEN b.as_of - INTERVAL 90 DAY AND b.as_of
        AND epoch_us(e.completed_at) - epoch_us(e."at") > b.objective_minutes * 6e7
    UNION
    SELECT r.workflow, r.started_at, r.run_id
    FROM drills_measured AS d
    JOIN rollback_readiness AS b USING (workflow)
    JOIN runs AS r USING (workflow)
    WHERE b.weakest_link = 'objective'
        AND d.started_at BETWEEN b.as_of - INTERVAL 90 DAY AND b.as_of
        AND coalesce(r.release, r.agent_version) = d.release
        AND r.mode IS DISTINCT FROM 'shadow'
        AND r.started_at < d.stopped_at
        AND r.ended_at > d.started_at + to_microseconds((b.objective_minutes * 6e7)::BIGINT)
),
rollback AS (
    SELECT
        w.workflow,
        5 AS clause_number,
        'rollback and stop' AS clause,
        1 AS checked,
        -- Without a drill nothing was tried, and that proves nothing.
        coalesce(b.score < 1 AND b.weakest_link <> 'drill', false) AS is_weak,
        CASE WHEN is_weak THEN e.exposed_runs END AS broken,
        b.detail AS detail,
        CASE WHEN b.score IS NULL OR b.score < 1 THEN b.to_do END AS lacks,
        b.to_do AS mend
    FROM workflow AS w
    LEFT JOIN rollback_readiness AS b USING (workflow)
    LEFT JOIN (
        SELECT workflow, list({'at': started_at, 'run_id': run_id}) AS exposed_runs FROM exposed GROUP BY workflow
    ) AS e USING (workflow)
),
evidence AS (
    SELECT
        w.workflow,
        6 AS clause_number,
        'audit evidence' AS clause,
        w.settled_runs AS checked,
        CASE WHEN t.incomplete < w.settled_runs THEN t.incomplete_runs END AS broken,
        CASE
            WHEN t.incomplete > 0
                THEN format(
                    'the decision path of {} of {} settled runs can''t be rebuilt, mostly for want of {}',
                    t.incomplete, w.settled_runs, t.mostly_missing
                )
            ELSE format('{} settled runs', w.settled_runs)
        END AS detail,
        CASE
            WHEN w.settled_runs = 0 THEN 'no run is settled yet'
            WHEN t.incomplete > 0 THEN 'plumbline audit RUN_ID says for one run what to send'
        END AS lacks,
        lacks AS mend
    FROM workflow AS w
    JOIN traced AS t USING (workflow)
),
spent AS (
    SELECT
        r.workflow,
        sum(r.cost_usd) FILTER (r.is_settled) AS settled_usd,
        count(*) FILTER (r.is_settled AND r.outcome = 'success' AND r.cost_usd IS NOT NULL) AS successes,
        count(*) FILTER (r.cost_usd IS NULL) AS unpriced,
        list({'at': r.started_at, 'run_id': r.run_id} ORDER BY r.cost_usd DESC, r.run_id) FILTER (
            r.is_settled AND r.cost_usd > 0
            AND (r.outcome IS DISTINCT FROM 'success' OR r.cost_usd > c.cost_per_success_usd_objective)
        ) AS dear
    FROM recent AS r
    LEFT JOIN catalog_workflows AS c USING (workflow)
    GROUP BY r.workflow
),
-- All of the month's runs, shadow and pending ones too: as budgets count.
month AS (
    SELECT
        workflow,
        sum(cost_usd) AS month_usd,
        list({'at': started_at, 'run_id': run_id} ORDER BY cost_usd DESC, run_id) FILTER (spent_usd > budget_usd_per_month) AS over_budget
    FROM (
        SELECT r.*, c.budget_usd_per_month, sum(r.cost_usd) OVER (PARTITION BY r.workflow ORDER BY r.started_at, r.run_id) AS spent_usd
        FROM runs AS r
        CROSS JOIN event_clock AS k
        LEFT JOIN catalog_workflows AS c USING (workflow)
        WHERE r.started_at BETWEEN date_trunc('month', k.latest_at) AND k.latest_at AND r.cost_usd > 0
    )
    GROUP BY workflow
),
envelope AS (
    SELECT
        w.workflow,
        7 AS clause_number,
        'cost envelope' AS clause,
        w.settled_runs AS checked,
        s.settled_usd / nullif(s.successes, 0) AS cost_per_success_usd,
        coalesce(cost_per_success_usd > c.cost_per_success_usd_objective, false) AS is_dear,
        coalesce(m.month_usd > c.budget_usd_per_month, false) AS is_over,
        CASE WHEN is_dear THEN s.dear WHEN is_over THEN m.over_budget END AS broken,
        CASE
            WHEN is_dear
                THEN format(
                    'a success costs {:.4f} US dollars, {:.4f} are allowed',
                    cost_per_success_usd, c.cost_per_success_usd_objective
                )
            WHEN is_over
                THEN format('the month has spent {:.2f} of {:.2f} US dollars', m.month_usd, c.budget_usd_per_month)
            WHEN c.cost_per_success_usd_objective IS NULL AND c.budget_usd_per_month IS NULL
                THEN 'the catalog has neither objective nor budget'
            WHEN s.unpriced > 0 THEN format('the cost of {} of {} runs is not known', s.unpriced, w.runs)
            WHEN s.successes = 0 AND c.cost_per_success_usd_objective IS NOT NULL THEN 'no run has succeeded yet'
            ELSE concat_ws(
                ', ',
                CASE
                    WHEN c.cost_per_success_usd_objective IS NOT NULL
                        THEN format(
                            '{:.4f} of {:.4f} US dollars a success', cost_per_success_usd, c.cost_per_success_usd_objective
                        )
                END,
                CASE
                    WHEN c.budget_usd_per_month IS NOT NULL
                        THEN format(
                            '{:.2f} of {:.2f} US dollars this month', coalesce(m.month_usd, 0), c.budget_usd_per_month
                        )
                END
            )
        END AS detail,
        CASE
            WHEN c.cost_per_success_usd_objective IS NULL AND c.budget_usd_per_month IS NULL
                THEN 'state objectives: cost_per_success_usd, or a budget, in the catalog'
            WHEN s.unpriced > 0 THEN 'state in the catalog what the models without a price cost (prices:)'
            WHEN s.successes = 0 AND c.cost_per_success_usd_objective IS NOT NULL THEN 'send outcomes'
        END AS lacks,
        'plumbline bridge says what moved the cost' AS mend
    FROM workflow AS w
    JOIN spent AS s USING (workflow)
    LEFT JOIN month AS m USING (workflow)
    LEFT JOIN catalog_workflows AS c USING (workflow)
),
clauses AS (
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM boundaries
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM identity
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM traceability
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM approval
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, is_weak AS is_broken, broken, detail, lacks, mend FROM rollback
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM evidence
    UNION ALL BY NAME
    SELECT workflow, clause_number, clause, checked, broken IS NOT NULL AS is_broken, broken, detail, lacks, mend FROM envelope
)
SELECT
    c.workflow,
    c.clause_number,
    c.clause,
    CASE WHEN c.is_broken THEN 'broken' WHEN c.lacks IS NOT NULL THEN 'not provable' ELSE 'kept' END AS state,
    w.as_of,
    c.checked,
    coalesce(len(c.broken), 0) AS broken_runs,
    list_transform(
        CASE WHEN c.clause_number = 7 THEN c.broken ELSE list_reverse_sort(c.broken) END[:20], lambda x: x.run_id
    ) AS run_ids,
    c.detail,
    CASE WHEN c.is_broken THEN c.mend ELSE c.lacks END AS to_do
FROM clauses AS c
JOIN workflow AS w USING (workflow)
ORDER BY c.workflow, c.clause_number
