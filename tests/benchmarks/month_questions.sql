-- Questions of the cookbook about one month, for the warehouse benchmark: a comment with the question, then its statement.
-- $month: a condition on started_at

-- spans: spans and errors by workflow
SELECT workflow, count(*) AS spans, count(*) FILTER (status = 'error') AS errors
FROM spans WHERE $month
GROUP BY workflow;

-- spans: cost and tokens by model
SELECT response_model, count(*) AS calls, sum(cost_usd) AS cost_usd, sum(input_tokens + output_tokens) AS tokens
FROM spans WHERE $month AND kind = 'model'
GROUP BY response_model;

-- spans: the slowest tools, 95th percentile
SELECT tool_name, count(*) AS calls, quantile_cont(duration_ms, 0.95) AS p95_ms
FROM spans WHERE $month AND kind = 'tool'
GROUP BY tool_name;

-- spans: by source, with what was odd (16)
SELECT dialect, flag, count(*) AS spans
FROM (
    SELECT dialect, unnest(coalesce(nullif(quality_flags, []), ['(none)'])) AS flag
    FROM spans WHERE $month
)
GROUP BY ALL;

-- spans: each step of the month's most expensive run (15)
SELECT started_at, kind, coalesce(tool_name, response_model, name) AS what, status, duration_ms, cost_usd
FROM spans
WHERE $month AND run_id = (
    SELECT run_id FROM runs
    WHERE cost_usd IS NOT NULL AND $month
    ORDER BY cost_usd DESC, run_id LIMIT 1
)
ORDER BY started_at, span_id;

-- runs: spend of each team and cost center (3)
SELECT team, cost_center, count(*) AS runs, sum(cost_usd) AS cost_usd, count(cost_usd) / count(*) AS priced_ratio
FROM runs WHERE $month
GROUP BY ALL;

-- runs: far above the usual cost of their workflow (7)
SELECT workflow, run_id, cost_usd, cost_usd / median(cost_usd) OVER (PARTITION BY workflow) AS times_the_median
FROM runs WHERE cost_usd IS NOT NULL AND $month
QUALIFY times_the_median > 3
ORDER BY times_the_median DESC LIMIT 20;

-- runs: success and cost by release (13)
SELECT workflow, release, min(started_at), count(*) AS runs, avg((outcome = 'success')::INT), avg(cost_usd)
FROM runs WHERE NOT is_pending AND outcome IS NOT NULL AND $month
GROUP BY workflow, release;

-- runs: how long they take, hour by hour (14)
SELECT date_trunc('hour', started_at) AS hour, count(*) AS runs, quantile_cont(duration_ms, [0.5, 0.95]) AS p50_p95_ms
FROM runs WHERE $month
GROUP BY hour;

-- model_calls: cost and price by model (4)
SELECT coalesce(request_model, response_model) AS model, count(*) AS calls, sum(cost_usd) AS cost_usd,
    sum(cost_usd) / nullif(sum(input_tokens + output_tokens) FILTER (cost_usd IS NOT NULL), 0) * 1e6 AS usd_per_mtok
FROM model_calls WHERE $month
GROUP BY model;

-- tool_calls: failures and latency (10)
SELECT tool_name, count(*) AS calls, count(*) FILTER (status = 'error') / count(*), quantile_cont(duration_ms, 0.95)
FROM tool_calls WHERE observed_in <> 'model output' AND $month
GROUP BY tool_name HAVING count(*) >= 20
