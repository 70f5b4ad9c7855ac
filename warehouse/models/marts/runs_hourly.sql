-- mart: runs_hourly
-- group: cost
-- What the runs that start within an hour add up to, by all that pages filter and part them by.
-- grain: hour_at, workflow, team, cost_center, environment, release, mode, model
-- period: date
-- incremental: date
-- Every column is a sum, so any coarser group is the sum of its rows. Ratios are made of sums, never of ratios. Cost and tokens
-- are unknown, not 0, where no run of the row knows them.
-- columns:
--   date: Day of the run's start, UTC.
--   hour_at: Beginning of its hour.
--   workflow: Workflow.
--   team: Team as sent, else the catalog's; null where there is none.
--   cost_center: Cost center as sent, else the catalog's; null where there is none.
--   environment: Deployment environment; null where runs name none.
--   release: Release of the workflow; null where runs name none.
--   mode: 'live', 'shadow' or 'canary'.
--   model: Model that the run asked for most; null where none is named.
--   first_at: First start of a run.
--   last_at: Last start of a run.
--   runs: All runs.
--   settled_runs: Those that are not pending.
--   successes: Settled runs with outcome 'success', priced or not.
--   escalations: Settled runs with outcome 'escalated'.
--   priced_runs: Settled runs with a known cost.
--   priced_successes: Those of them with outcome 'success'.
--   cost_usd: Cost of the priced runs, in US dollars; null when there is none.
--   cost_squares: Sum of the squares of the priced runs' costs, in US dollars squared.
--   success_cost_usd: The part of cost_usd spent on runs with success, in US dollars.
--   model_cost_usd: The part of cost_usd that model calls cost, in US dollars.
--   tool_cost_usd: The part of it that tools cost, in US dollars; null where no tool has a cost in the catalog.
--   escalation_cost_usd: The part of it that handing over to people cost, in US dollars.
--   costed_runs: Runs with a known cost, pending ones included.
--   spent_usd: What those cost, in US dollars: the sum that budgets and showback part; null when there is none.
--   priced_calls: Priced model calls of settled runs.
--   priceable_calls: Model calls of settled runs that need a price.
--   input_tokens: Input tokens, cached ones included.
--   cached_input_tokens: The part of input_tokens read from the cache.
--   output_tokens: Output tokens, reasoning included.
--   tool_calls: Calls of a tool.
--   tool_errors: Tool spans with status 'error'.
--   runs_without_cached_tokens: Runs traced by a package that does not report cached tokens.
--   runs_without_usage: Runs traced by one that leaves out the tokens of some calls.
--   runs_without_failed_calls: Runs traced by one that leaves out failed model calls.
--   runs_without_tool_spans: Runs traced by one that has tool calls only in a model's output.
--   decisions: Policy decisions in these runs.
--   allowed_decisions: Those that allowed the action.

WITH run AS (
    SELECT
        r.*,
        NOT r.is_pending AS is_settled,
        CASE WHEN NOT r.is_pending THEN r.cost_usd END AS c,
        r.outcome IS NOT DISTINCT FROM 'success' AS is_success,
        coalesce(r.quality_flags, []) AS flags
    FROM runs AS r
    WHERE r.started_at IS NOT NULL
)
SELECT
    started_at::DATE AS date,
    date_trunc('hour', started_at) AS hour_at,
    workflow,
    team,
    cost_center,
    environment,
    release,
    coalesce(mode, 'live') AS mode,
    model,
    min(started_at) AS first_at,
    max(started_at) AS last_at,
    count(*) AS runs,
    count(*) FILTER (is_settled) AS settled_runs,
    count(*) FILTER (is_settled AND is_success) AS successes,
    count(*) FILTER (is_settled AND outcome IS NOT DISTINCT FROM 'escalated') AS escalations,
    count(c) AS priced_runs,
    count(c) FILTER (is_success) AS priced_successes,
    sum(c) AS cost_usd,
    sum(c * c) AS cost_squares,
    sum(CASE WHEN is_success THEN c ELSE c * 0 END) AS success_cost_usd,
    sum(model_cost_usd) FILTER (c IS NOT NULL) AS model_cost_usd,
    sum(tool_cost_usd) FILTER (c IS NOT NULL) AS tool_cost_usd,
    sum(escalation_cost_usd) FILTER (c IS NOT NULL) AS escalation_cost_usd,
    count(r.cost_usd) AS costed_runs,
    sum(r.cost_usd) AS spent_usd,
    coalesce(sum(priced_model_calls) FILTER (is_settled), 0)::BIGINT AS priced_calls,
    coalesce(sum(model_calls - costless_model_calls) FILTER (is_settled), 0)::BIGINT AS priceable_calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_input_tokens)::BIGINT AS cached_input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    coalesce(sum(tool_calls), 0)::BIGINT AS tool_calls,
    coalesce(sum(tool_errors), 0)::BIGINT AS tool_errors,
    count(*) FILTER (list_contains(flags, 'cached_tokens_not_reported')) AS runs_without_cached_tokens,
    count(*) FILTER (list_contains(flags, 'usage_not_reported')) AS runs_without_usage,
    count(*) FILTER (list_contains(flags, 'failed_calls_not_reported')) AS runs_without_failed_calls,
    count(*) FILTER (list_contains(flags, 'tool_spans_not_reported')) AS runs_without_tool_spans,
    sum(policy_decisions)::BIGINT AS decisions,
    sum(r.allowed_decisions)::BIGINT AS allowed_decisions
FROM run AS r
GROUP BY ALL
ORDER BY ALL
