-- What the runs of each release, or of each mode, add up to: all that a comparison needs to know of them.
-- grain: workflow, group
-- $workflow null for every one; $by 'release' or 'mode'. Shadow runs only where the mode is what is compared.
-- Per measure the runs that have a value, its mean and its variance (divided by n); of its logarithm for duration_ms. first_at:
-- first start of the group's runs.
-- A run whose outcome is pending has no success yet; one past its window without an outcome did not succeed.
WITH valued AS (
    SELECT
        r.workflow,
        CASE WHEN $by::VARCHAR = 'mode' THEN coalesce(r.mode, 'live') ELSE r.release END AS "group",
        r.started_at,
        CASE WHEN NOT r.is_pending THEN (r.outcome IS NOT DISTINCT FROM 'success')::INTEGER::DOUBLE END AS success,
        r.cost_usd::DOUBLE AS cost_usd,
        CASE WHEN r.duration_ms > 0 THEN ln(r.duration_ms::DOUBLE) END AS duration_ms,
        CASE WHEN r.tool_calls > 0 THEN (r.tool_errors > 0)::INTEGER::DOUBLE END AS tool_error,
        CASE WHEN r.policy_decisions > 0 THEN (r.denied_decisions > 0)::INTEGER::DOUBLE END AS denied
    FROM runs AS r
    WHERE ($workflow::VARCHAR IS NULL OR r.workflow = $workflow::VARCHAR)
        AND ($by::VARCHAR = 'mode' OR r.mode IS DISTINCT FROM 'shadow')
)
SELECT
    workflow,
    "group",
    min(started_at) AS first_at,
    count(*) AS runs,
    count(success) AS success_runs,
    avg(success) AS success_mean,
    var_pop(success) AS success_variance,
    count(cost_usd) AS cost_usd_runs,
    avg(cost_usd) AS cost_usd_mean,
    var_pop(cost_usd) AS cost_usd_variance,
    count(duration_ms) AS duration_ms_runs,
    avg(duration_ms) AS duration_ms_mean,
    var_pop(duration_ms) AS duration_ms_variance,
    count(tool_error) AS tool_error_runs,
    avg(tool_error) AS tool_error_mean,
    var_pop(tool_error) AS tool_error_variance,
    count(denied) AS denied_runs,
    avg(denied) AS denied_mean,
    var_pop(denied) AS denied_variance
FROM valued
WHERE workflow IS NOT NULL AND "group" IS NOT NULL
GROUP BY workflow, "group"
ORDER BY workflow, first_at NULLS LAST, "group"
