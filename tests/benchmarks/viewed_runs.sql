-- Runs of a fleet of 40 workflows over 180 days, as mart `runs` has them: what the dashboard's marts are made of.
-- parameters: $runs
INSERT INTO runs BY NAME
WITH drawn AS (
    SELECT
        i,
        hash(i * 7 + 1) % 1000 / 1000.0 AS a,
        hash(i * 7 + 2) % 1000 / 1000.0 AS b,
        hash(i * 7 + 3) % 1000 / 1000.0 AS c,
        (hash(i * 7 + 4) % 40)::BIGINT AS w,
        TIMESTAMP '2026-03-01' + to_microseconds((i * (180 * 86400e6 / $runs))::BIGINT) AS started_at
    FROM range($runs) AS t(i)
)
SELECT
    printf('%032x', i) AS run_id,
    'workflow-' || w AS workflow,
    'agent-' || w AS agent,
    '2026.' || (1 + (epoch(started_at)::BIGINT // (86400 * 45)) % 4) AS release,
    CASE WHEN a < 0.85 THEN 'production' ELSE 'staging' END AS environment,
    'team-' || (w % 8) AS team,
    'cc-' || (w % 5) AS cost_center,
    CASE WHEN b < 0.03 THEN 'shadow' ELSE 'live' END AS mode,
    ['gpt-4.1', 'gpt-4.1-mini', 'claude-sonnet-4-5', 'claude-haiku-4-5'][1 + (w + (c * 1.2)::BIGINT) % 4] AS model,
    started_at,
    started_at + to_microseconds((20e6 + a * 4e7)::BIGINT) AS ended_at,
    'root' AS closed_by,
    20000 + a * 40000 AS duration_ms,
    CASE WHEN c < 0.86 THEN 'success' WHEN c < 0.93 THEN 'failure' WHEN c < 0.97 THEN 'escalated' ELSE 'abandoned' END AS outcome,
    false AS is_pending,
    3 AS model_calls,
    3 AS priced_model_calls,
    0 AS costless_model_calls,
    0 AS failed_model_calls,
    4 AS tool_calls,
    0 AS requested_tool_calls,
    (a < 0.03)::INTEGER AS tool_errors,
    8 AS steps,
    (hash(run_id) % 5 = 0)::INTEGER AS policy_decisions,
    policy_decisions * (hash(run_id) % 50 <> 0)::INTEGER AS allowed_decisions,
    policy_decisions - allowed_decisions AS denied_decisions,
    (6000 + 9000 * b)::BIGINT AS input_tokens,
    (2500 + 2000 * a)::BIGINT AS cached_input_tokens,
    (300 + 400 * c)::BIGINT AS output_tokens,
    (0.004 + 0.02 * b) * (1 + w / 10.0) AS model_cost_usd,
    0.002 AS tool_cost_usd,
    CASE WHEN c >= 0.93 AND c < 0.97 THEN 4.5 ELSE 0 END AS escalation_cost_usd,
    (0.004 + 0.02 * b) * (1 + w / 10.0) + 0.002 + CASE WHEN c >= 0.93 AND c < 0.97 THEN 4.5 ELSE 0 END AS cost_usd,
    []::VARCHAR[] AS quality_flags
FROM drawn
ORDER BY started_at
