-- mart: cost_per_outcome_daily
-- group: cost
-- Cost per successful outcome of each workflow and day, with its 95 % interval.
-- grain: date, workflow
-- period: date
-- Cohort by run start (UTC day). Pending runs are counted and left out of both sides; past the window a run without an
-- outcome counts as not successful. Cost and priced_successes are those of settled runs with a known cost.
-- Interval: Fieller's theorem for the ratio of means C/S over the n priced runs of the day. With c̄, s̄ the means and
-- v_c, v_s,
-- v_cs the variances and covariance of those means (sample moments ÷ n) and z = 1.96, the bounds are
-- (B ± √(B² − A·D)) ÷ A with A = s̄² − z²·v_s, B = s̄·c̄ − z²·v_cs, D = c̄² − z²·v_c. Where A ≤ 0 the data do not bound
-- the
-- ratio, and with n < 2 there is no variance: both bounds are null.
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   runs: All runs.
--   settled_runs: Those that are not pending.
--   pending_runs: Those whose outcome is unknown and whose window is open.
--   successes: Settled runs with outcome 'success', priced or not.
--   priced_runs: Settled runs with a known cost.
--   priced_successes: Those of them with outcome 'success'.
--   cost_usd: Cost of the priced runs, in US dollars; null when there is none.
--   cost_per_success_usd: cost_usd ÷ priced_successes, in US dollars; null without a success.
--   ci_low_usd: Lower bound of its 95 % interval, in US dollars, not below 0.
--   ci_high_usd: Upper bound of its 95 % interval, in US dollars.
--   price_coverage_ratio: Priced model calls ÷ model calls that need a price, settled runs; null without a call.
--   failed_run_cost_usd: The part of cost_usd spent on runs without success, in US dollars.

WITH daily AS (
    SELECT
        started_at::DATE AS date,
        workflow,
        count(*) AS runs,
        count(*) FILTER (NOT is_pending) AS settled_runs,
        count(*) FILTER (is_pending) AS pending_runs,
        count(*) FILTER (NOT is_pending AND outcome = 'success') AS successes,
        count(c) AS priced_runs,
        count(c) FILTER (s = 1) AS priced_successes,
        sum(c) AS cost_usd,
        sum(c) FILTER (s = 0) AS failed_cost_usd,
        sum(priced_model_calls) FILTER (NOT is_pending)
            / nullif(sum(model_calls - costless_model_calls) FILTER (NOT is_pending), 0) AS price_coverage_ratio,
        avg(c) AS mean_c,
        avg(s) FILTER (c IS NOT NULL) AS mean_s,
        3.8416 * var_samp(c) / count(c) AS spread_c,
        3.8416 * var_samp(s) FILTER (c IS NOT NULL) / count(c) AS spread_s,
        3.8416 * covar_samp(c, s) / count(c) AS spread_cs
    FROM (
        SELECT
            *,
            CASE WHEN NOT is_pending THEN cost_usd END AS c,
            (outcome IS NOT DISTINCT FROM 'success')::INTEGER::DOUBLE AS s
        FROM runs
    )
    WHERE started_at IS NOT NULL
    GROUP BY ALL
),
bounds AS (
    SELECT
        *,
        mean_s * mean_s - spread_s AS a,
        mean_s * mean_c - spread_cs AS b,
        mean_c * mean_c - spread_c AS d
    FROM daily
)
SELECT
    date,
    workflow,
    runs,
    settled_runs,
    pending_runs,
    successes,
    priced_runs,
    priced_successes,
    cost_usd,
    cost_usd / nullif(priced_successes, 0) AS cost_per_success_usd,
    CASE WHEN a > 0 THEN greatest((b - sqrt(greatest(b * b - a * d, 0))) / a, 0) END AS ci_low_usd,
    CASE WHEN a > 0 THEN (b + sqrt(greatest(b * b - a * d, 0))) / a END AS ci_high_usd,
    price_coverage_ratio,
    CASE WHEN priced_runs > 0 THEN coalesce(failed_cost_usd, 0) END AS failed_run_cost_usd
FROM bounds
ORDER BY date, workflow
