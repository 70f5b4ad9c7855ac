-- mart: cost_by_day
-- group: cost
-- What the runs of a day add up to, of each workflow and of its parts: all that cost_per_outcome needs to know of them.
-- grain: date, workflow, by, name
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   by: What the runs are parted by: 'all' (not at all), 'team', 'cost_center', 'model', 'release', 'agent', 'environment' or
--     'mode'.
--   name: The part's name; null where runs have none, and for 'all'.
--   runs: All runs.
--   settled_runs: Those that are not pending.
--   successes: Settled runs with outcome 'success', priced or not.
--   priced_runs: Settled runs with a known cost.
--   priced_successes: Those of them with outcome 'success'.
--   cost_usd: Cost of the priced runs, in US dollars; null when there is none.
--   failed_cost_usd: The part of it spent on runs without success, in US dollars.
--   success_cost_usd: The part of it spent on runs with success, in US dollars.
--   retry_cost_usd: The part of it spent on calls repeated after an error (repeated_work), in US dollars.
--   loop_cost_usd: The part of it spent in loops (repeated_work), in US dollars.
--   cost_squares: Sum of the squares of the priced runs' costs, in US dollars squared.
--   priced_calls: Priced model calls of settled runs.
--   priceable_calls: Model calls of settled runs that need a price.

WITH run AS (
    SELECT
        r.*,
        NOT r.is_pending AS is_settled,
        CASE WHEN NOT r.is_pending THEN r.cost_usd END AS c,
        (r.outcome IS NOT DISTINCT FROM 'success')::INTEGER::DOUBLE AS s,
        coalesce(w.retry_cost_usd, 0) AS retry_usd,
        coalesce(w.loop_cost_usd, 0) AS loop_usd
    FROM runs AS r
    LEFT JOIN repeated_work AS w USING (run_id)
    WHERE r.started_at IS NOT NULL
)
SELECT
    started_at::DATE AS date,
    workflow,
    part."by",
    part.name,
    count(*) AS runs,
    count(*) FILTER (is_settled) AS settled_runs,
    count(*) FILTER (is_settled AND s = 1) AS successes,
    count(c) AS priced_runs,
    count(c) FILTER (s = 1) AS priced_successes,
    sum(c) AS cost_usd,
    sum(c) FILTER (s = 0) AS failed_cost_usd,
    sum(c) FILTER (s = 1) AS success_cost_usd,
    sum(retry_usd) FILTER (c IS NOT NULL) AS retry_cost_usd,
    sum(loop_usd) FILTER (c IS NOT NULL) AS loop_cost_usd,
    sum(c * c) AS cost_squares,
    sum(priced_model_calls) FILTER (is_settled) AS priced_calls,
    sum(model_calls - costless_model_calls) FILTER (is_settled) AS priceable_calls
FROM (
    SELECT
        *,
        unnest([
            {'by': 'all', 'name': NULL::VARCHAR},
            {'by': 'team', 'name': team},
            {'by': 'cost_center', 'name': cost_center},
            {'by': 'model', 'name': model},
            {'by': 'release', 'name': release},
            {'by': 'agent', 'name': agent},
            {'by': 'environment', 'name': environment},
            {'by': 'mode', 'name': coalesce(mode, 'live')}
        ]) AS part
    FROM run
)
GROUP BY ALL
ORDER BY ALL
