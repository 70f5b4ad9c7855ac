-- mart: cost_per_outcome_by_model
-- group: cost
-- Cost per successful outcome of each workflow and model, over all that the warehouse holds.
-- grain: workflow, model
-- Pending runs are counted and left out of cost and successes. Cost and the successes that share it are those of runs
-- with a
-- known cost: a run of a model without a price adds to neither, and lowers the coverage.
-- columns:
--   workflow: Workflow.
--   model: Model of most of a run's calls; null for runs without a model call.
--   runs: All runs.
--   pending_runs: Those whose outcome is unknown and whose window is open.
--   successes: Settled runs with outcome 'success', priced or not.
--   priced_runs: Settled runs with a known cost.
--   priced_successes: Those of them with outcome 'success'.
--   cost_usd: Cost of the priced runs, successful or not, in US dollars; null when there is none.
--   cost_per_success_usd: cost_usd ÷ priced_successes, in US dollars; null without a success.
--   price_coverage_ratio: Priced model calls ÷ model calls that need a price, settled runs; null without a call.
--   token_coverage_ratio: Tokens of priced runs ÷ tokens of all settled runs; null without a token.
--   input_tokens: Input tokens of all runs, cached ones included.
--   cached_input_tokens: The part of input_tokens read from the cache.
--   output_tokens: Output tokens of all runs.
--   tool_calls: Tool calls of all runs.
--   tool_errors: Those that failed.

SELECT
    workflow,
    model,
    count(*) AS runs,
    count(*) FILTER (is_pending) AS pending_runs,
    count(*) FILTER (NOT is_pending AND outcome = 'success') AS successes,
    count(cost_usd) FILTER (NOT is_pending) AS priced_runs,
    count(cost_usd) FILTER (NOT is_pending AND outcome = 'success') AS priced_successes,
    sum(cost_usd) FILTER (NOT is_pending) AS cost_usd,
    sum(cost_usd) FILTER (NOT is_pending)
        / nullif(count(cost_usd) FILTER (NOT is_pending AND outcome = 'success'), 0) AS cost_per_success_usd,
    sum(priced_model_calls) FILTER (NOT is_pending)
        / nullif(sum(model_calls - costless_model_calls) FILTER (NOT is_pending), 0) AS price_coverage_ratio,
    sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (NOT is_pending AND cost_usd IS NOT NULL)
        / nullif(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (NOT is_pending), 0)
        AS token_coverage_ratio,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_input_tokens)::BIGINT AS cached_input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(tool_calls)::BIGINT AS tool_calls,
    sum(tool_errors)::BIGINT AS tool_errors
FROM runs
GROUP BY workflow, model
ORDER BY workflow, model
