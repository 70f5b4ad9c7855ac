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
