-- What pages read beside runs_hourly, as wide and as long as a fleet of that size has it: marts whose own models read spans.
INSERT INTO model_usage_hourly BY NAME
SELECT
    date, hour_at, workflow, team, environment, release, model,
    sum(3 * priced_runs)::BIGINT AS calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_input_tokens)::BIGINT AS cached_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(model_cost_usd) * 0.6 AS input_usd,
    sum(model_cost_usd) * 0.1 AS cached_usd,
    sum(model_cost_usd) * 0.3 AS output_usd,
    sum(model_cost_usd) AS cost_usd
FROM runs_hourly
GROUP BY ALL
ORDER BY ALL;
INSERT INTO reuse_daily BY NAME
SELECT date, workflow, sum(runs * 5)::BIGINT AS invocations, sum(runs)::BIGINT AS certified_shared_invocations
FROM runs_hourly
GROUP BY ALL
UNION ALL BY NAME
SELECT date, '(fleet)' AS workflow, sum(runs * 5)::BIGINT AS invocations, sum(runs)::BIGINT AS certified_shared_invocations
FROM runs_hourly
GROUP BY ALL;
INSERT INTO rollback_readiness BY NAME
SELECT workflow, max(last_at) AS as_of, 0.7 AS score, 'drill' AS weakest_link, 'no drill succeeded' AS detail
FROM runs_hourly
GROUP BY workflow;
INSERT INTO reliability_contract BY NAME
SELECT workflow, number AS clause_number, 'clause ' || number AS clause, 'kept' AS state, max(last_at) AS as_of
FROM runs_hourly, range(1, 8) AS t(number)
GROUP BY ALL;
INSERT INTO scorecard_daily BY NAME
SELECT
    date,
    CASE grouping(workflow) WHEN 1 THEN '(fleet)' ELSE workflow END AS workflow,
    sum(runs)::BIGINT AS runs,
    sum(tool_calls)::BIGINT AS actions,
    1 AS breaches,
    0.01 AS override_ratio,
    0.9 AS audit_completeness_ratio,
    0 AS incidents_opened
FROM runs_hourly
GROUP BY GROUPING SETS ((date, workflow), (date));
INSERT INTO spans BY NAME
SELECT run_id AS trace_id, run_id[17:] AS span_id, run_id, workflow, 'run' AS kind, started_at
FROM runs
WHERE started_at >= (SELECT max(started_at) - INTERVAL 1 DAY FROM runs);
INSERT INTO incidents BY NAME
SELECT
    'inc-' || n AS incident_id, 'workflow-' || (n % 40) AS workflow, 'cost' AS family, ['cost'] AS families,
    'Cost per run rose' AS headline, 'warning' AS severity, CASE WHEN n < 8 THEN 'open' ELSE 'resolved' END AS state,
    TIMESTAMP '2026-08-27' - to_hours(n * 40) AS onset_at, TIMESTAMP '2026-08-27' - to_hours(n * 40) AS opened_at,
    TIMESTAMP '2026-08-27' - to_hours(n * 40) AS last_signal_at, TIMESTAMP '2026-08-27' AS updated_at, 1 AS signals,
    'sig-' || n AS leading_signal_id
FROM range(60) AS t(n);
INSERT INTO signals BY NAME
SELECT
    'sig-' || n AS signal_id, 'inc-' || n AS incident_id, 'workflow-' || (n % 40) AS workflow, 'cost' AS family,
    'cost_usd_per_run' AS metric, '' AS dimension, 'continuous' AS kind, 'Cost per run rose' AS headline,
    TIMESTAMP '2026-08-27' - to_hours(n * 40) AS "at", TIMESTAMP '2026-08-27' - to_hours(n * 40) AS onset_at,
    12.0 AS log_e, 9.2 AS threshold, 0.04 AS before_value, 0.06 AS after_value, 'usd' AS unit
FROM range(60) AS t(n)
;
INSERT INTO tool_calls_hourly BY NAME
SELECT
    date, hour_at, workflow, environment, team, release,
    'tool-' || (hash(workflow) % 7 + number) AS tool_name,
    sum(runs)::BIGINT AS calls,
    sum(runs)::BIGINT AS runs,
    sum(runs)::BIGINT AS spanned_calls,
    (number = 1)::BIGINT * sum(tool_errors)::BIGINT AS errors,
    sum(runs)::BIGINT AS spanned_calls_squared,
    (number = 1)::BIGINT * sum(tool_errors)::BIGINT AS errors_squared,
    (number = 1)::BIGINT * sum(tool_errors)::BIGINT AS errors_by_calls,
    sum(runs)::BIGINT AS timed_calls,
    sum(runs) * 181.0 AS duration_ms,
    map([56, 57, 58, 60, 61 + number], [1, 1, 1, 1, greatest(sum(runs) - 4, 1)]::UBIGINT[]) AS durations,
    CASE WHEN number < 3 THEN sum(runs) ELSE 0 END::BIGINT AS read_calls,
    CASE WHEN number = 3 THEN sum(runs) ELSE 0 END::BIGINT AS write_calls,
    CASE WHEN number = 4 THEN sum(runs) ELSE 0 END::BIGINT AS irreversible_calls,
    max(last_at) AS last_at
FROM runs_hourly, range(1, 5) AS t(number)
GROUP BY date, hour_at, workflow, environment, team, release, number
ORDER BY date, hour_at, workflow, environment, team, release, tool_name;
INSERT INTO tool_variants_daily BY NAME
SELECT
    date, workflow, environment, team, release, tool_name,
    CASE WHEN number < 4 THEN 'arguments' ELSE 'error' END AS what,
    CASE WHEN number < 4 THEN left(md5(tool_name || number), 16) ELSE 'timeout' END AS variant,
    sum(calls)::BIGINT AS calls,
    min(last_at) AS first_at,
    max(last_at) AS last_at
FROM tool_calls_hourly, range(1, 5) AS t(number)
GROUP BY ALL
ORDER BY ALL;
INSERT INTO policy_events_hourly BY NAME
SELECT
    date, hour_at, workflow, environment, team, release,
    CASE WHEN number < 4 THEN 'decision' ELSE 'approval' END AS what,
    CASE WHEN number < 4 THEN 'policy-' || (hash(workflow) % 5) ELSE 'tool-' || (hash(workflow) % 7 + 4) END AS name,
    CASE WHEN number < 4 THEN '2026.1' END AS version,
    CASE WHEN number < 4 THEN 'limit' END AS rule,
    ['allow', 'deny', 'escalate', 'granted'][number] AS result,
    CASE WHEN number < 4 THEN 'in force' END AS standing,
    sum(runs)::BIGINT AS events,
    0 AS carried_out,
    min(last_at) AS first_at,
    max(last_at) AS last_at
FROM runs_hourly, range(1, 5) AS t(number)
WHERE number IN (1, 4) OR hash(hour_at, workflow, number) % 5 = 0
GROUP BY date, hour_at, workflow, environment, team, release, number
ORDER BY date, hour_at, workflow, environment, team, release, number;
INSERT INTO policy_findings BY NAME
SELECT
    run_id, workflow, environment, team, release, started_at,
    ['irreversible without approval', 'outdated version', 'effect not allowed'][1 + (hash(run_id) % 3)::INTEGER] AS kind,
    'policy-' || (hash(workflow) % 5) AS name,
    '2026.0' AS detail,
    hash(run_id) % 3 = 0 AS is_breach,
    1 AS events,
    started_at AS first_at
FROM runs
WHERE hash(run_id) % 100 = 0;
INSERT INTO component_uses_daily BY NAME
SELECT date, workflow, 'tool' AS component_kind, tool_name AS name, NULL::VARCHAR AS version, sum(calls)::BIGINT AS invocations
FROM tool_calls_hourly
GROUP BY ALL
UNION ALL BY NAME
SELECT
    date, workflow, 'agent' AS component_kind, 'agent-' || workflow AS name, '1.0' AS version, sum(runs)::BIGINT AS invocations
FROM runs_hourly
GROUP BY ALL;
INSERT INTO catalog_tools BY NAME
SELECT 'tool-' || n AS tool_name, 'read' AS effect, 0.001 AS cost_per_call_usd, n % 3 = 0 AS certified FROM range(1, 12) AS t(n);
INSERT INTO rollback_readiness_daily BY NAME
SELECT date, workflow, max(last_at) AS as_of, 0.5 + hash(date, workflow) % 50 / 100.0 AS score, 'drill' AS weakest_link,
    'no drill succeeded' AS detail
FROM runs_hourly
GROUP BY ALL;
INSERT INTO audit_by_run BY NAME
SELECT
    run_id, workflow, started_at, NOT is_pending AS is_settled, TRUE AS has_identity, TRUE AS has_versions, TRUE AS has_tool_results,
    hash(run_id) % 10 > 0 AS has_decisions, TRUE AS has_outcome, hash(run_id) % 10 > 0 AS is_complete,
    CASE WHEN hash(run_id) % 10 = 0 THEN ['policy decisions'] ELSE [] END AS missing
FROM runs;
INSERT INTO release_comparisons BY NAME
SELECT
    workflow, 'previous' AS compared_with, '2026.' || number AS from_release, '2026.' || (number + 1) AS to_release,
    TIMESTAMP '2026-03-01' + to_days((45 * (number - 1))::INTEGER) AS from_first_at,
    TIMESTAMP '2026-03-01' + to_days((45 * number)::INTEGER) AS to_first_at, measure, 'no difference yet' AS verdict,
    0.86 AS before_value, 0.861 AS after_value, 'share' AS unit, 0.001 AS difference, -0.01 AS low, 0.012 AS high, 0.001 AS relative,
    0.05 AS margin, 30000 AS before_runs, 30000 AS after_runs, 1.0 AS before_coverage_ratio, 1.0 AS after_coverage_ratio,
    TIMESTAMP '2026-08-27' AS as_of_at, TIMESTAMP '2026-08-27' AS computed_at
FROM (SELECT DISTINCT workflow FROM runs_hourly), range(1, 4) AS t(number),
    (SELECT unnest(['success rate', 'cost per run', 'duration', 'tool error rate', 'denial rate']) AS measure)
