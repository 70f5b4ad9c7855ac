-- mart: cost_per_outcome_monthly
-- group: cost
-- Cost per successful outcome of each workflow, its parts, and month.
-- grain: date, workflow, by, name
-- Rows of cost_per_outcome, where cohort, formulas and interval stand.
-- columns:
--   date: First day of the month of the run's start, UTC.
--   workflow: Workflow. '(fleet)' for all of them.
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

SELECT
    date,
    workflow,
    "by",
    name,
    runs,
    settled_runs,
    pending_runs,
    successes,
    priced_runs,
    priced_successes,
    cost_usd,
    cost_per_success_usd,
    ci_low_usd,
    ci_high_usd,
    price_coverage_ratio,
    failed_run_cost_usd,
    failed_run_cost_ratio,
    retry_cost_usd,
    loop_cost_usd,
    repeated_cost_ratio
FROM cost_per_outcome
WHERE period = 'month'
ORDER BY date, workflow, "by", name
