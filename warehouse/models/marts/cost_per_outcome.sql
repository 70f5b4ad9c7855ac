-- mart: cost_per_outcome
-- group: cost
-- Cost per successful outcome of days, weeks and months, of each workflow and of its parts, with its 95 % interval.
-- grain: period, date, workflow, by, name
-- Cohort by run start (UTC). Pending runs are counted and left out of both sides; past the window a run without an
-- outcome counts as not successful. Cost and priced_successes are those of settled runs with a known cost.
-- Interval: Fieller's theorem for the ratio of means C/S over the n priced runs. With c̄, s̄ the means and v_c, v_s, v_cs the
-- variances and covariance of those means (sample moments ÷ n) and z = 1.96, the bounds are (B ± √(B² − A·D)) ÷ A with
-- A = s̄² − z²·v_s, B = s̄·c̄ − z²·v_cs, D = c̄² − z²·v_c. Where A ≤ 0 the data do not bound the ratio, and with n < 2 there
-- is no variance: both bounds are null.
-- This is the one place of these formulas: cost_per_outcome_daily, _weekly and _monthly are rows of it.
-- columns:
--   period: 'day', 'week' (ISO, from Monday) or 'month'.
--   date: Its first day, UTC.
--   workflow: Workflow; '(fleet)' for all of them.
--   by: What the rows of a workflow are parted by: 'all' (not at all), 'team', 'cost_center', 'model', 'release', 'agent',
--     'environment' or 'mode'.
--   name: The part's name; null where runs have none, and for 'all'.
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
--   failed_run_cost_ratio: failed_run_cost_usd ÷ cost_usd; null when nothing was spent.
--   retry_cost_usd: The part of cost_usd spent on calls repeated after an error (repeated_work).
--   loop_cost_usd: The part of cost_usd spent in loops (repeated_work).
--   repeated_cost_ratio: (retry_cost_usd + loop_cost_usd) ÷ cost_usd; null when nothing was spent.

WITH spread AS (
    SELECT
        length.period,
        date_trunc(length.period, date)::DATE AS first_day,
        CASE WHEN grouping(workflow) = 1 THEN '(fleet)' ELSE workflow END AS workflow,
        "by",
        name,
        sum(runs)::BIGINT AS runs,
        sum(settled_runs)::BIGINT AS settled_runs,
        sum(successes)::BIGINT AS successes,
        sum(priced_runs)::BIGINT AS priced_runs,
        sum(priced_successes)::BIGINT AS priced_successes,
        sum(cost_usd) AS cost_usd,
        sum(failed_cost_usd) AS failed_cost_usd,
        sum(retry_cost_usd) AS retry_cost_usd,
        sum(loop_cost_usd) AS loop_cost_usd,
        sum(priced_calls) / nullif(sum(priceable_calls), 0) AS price_coverage_ratio,
        sum(priced_runs)::DOUBLE AS n,
        sum(cost_usd) / nullif(n, 0) AS mean_c,
        sum(priced_successes) / nullif(n, 0) AS mean_s,
        sum(cost_squares) AS squares,
        sum(success_cost_usd) AS products
    FROM (SELECT *, unnest([{'period': 'day'}, {'period': 'week'}, {'period': 'month'}]) AS length FROM cost_by_day)
    GROUP BY GROUPING SETS ((length.period, first_day, workflow, "by", name), (length.period, first_day, "by", name))
),
bounds AS (
    SELECT
        *,
        mean_s * mean_s - 3.8416 * greatest(n * mean_s * (1 - mean_s), 0) / nullif(n - 1, 0) / n AS a,
        mean_s * mean_c - 3.8416 * (coalesce(products, 0) - n * mean_c * mean_s) / nullif(n - 1, 0) / n AS b,
        mean_c * mean_c - 3.8416 * greatest(squares - n * mean_c * mean_c, 0) / nullif(n - 1, 0) / n AS d
    FROM spread
)
SELECT
    period,
    first_day AS date,
    workflow,
    "by",
    name,
    runs,
    settled_runs,
    runs - settled_runs AS pending_runs,
    successes,
    priced_runs,
    priced_successes,
    cost_usd,
    cost_usd / nullif(priced_successes, 0) AS cost_per_success_usd,
    CASE WHEN a > 0 THEN greatest((b - sqrt(greatest(b * b - a * d, 0))) / a, 0) END AS ci_low_usd,
    CASE WHEN a > 0 THEN (b + sqrt(greatest(b * b - a * d, 0))) / a END AS ci_high_usd,
    price_coverage_ratio,
    CASE WHEN priced_runs > 0 THEN coalesce(failed_cost_usd, 0) END AS failed_run_cost_usd,
    CASE WHEN priced_runs > 0 THEN coalesce(failed_cost_usd, 0) END / nullif(cost_usd, 0) AS failed_run_cost_ratio,
    retry_cost_usd,
    loop_cost_usd,
    (retry_cost_usd + loop_cost_usd) / nullif(cost_usd, 0) AS repeated_cost_ratio
FROM bounds
ORDER BY period, date, workflow, "by", name
