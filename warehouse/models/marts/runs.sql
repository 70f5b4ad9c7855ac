-- mart: runs
-- group: runs
-- One row per agent run: who ran, under which versions, what it used, what it cost, how it ended.
-- grain: run_id
-- period: started_at
-- incremental: run_id
-- keys: run_id
-- The workflow is that of the span that names it best: least workflow_rank, the root span first, then the earliest start, then the span
-- id; where the catalog says that a workflow was called so formerly, it is that one. Other identity columns: the first span that has a
-- value, in the order root, start, span id.
-- The outcome is the latest statement about the run; explicit ones (span, topic) come before evaluations, and of them those
-- about the run before those about its session. Where the catalog names the workflow's outcome only that one counts, and an
-- explicit statement without a name.
-- A run is closed by the end of its root span, or by the stream's run timeout (1 hour unless set) after its last span where
-- no root came.
-- columns:
--   run_id: The run.
--   workflow: Its workflow, by the name that it has now.
--   session_id: Conversation or session it belongs to.
--   agent: Name of the agent.
--   release: Release of the workflow.
--   agent_version: Version of the agent.
--   prompt_version: Version of the prompt.
--   policy_version: Version of the policy in force.
--   environment: Deployment environment.
--   team: Team as sent, else the catalog's for the workflow.
--   cost_center: Cost center as sent, else the catalog's for the workflow.
--   mode: 'live', 'shadow' or 'canary'.
--   model: Requested model of most of its model calls (the response's where no request model was sent); ties by name.
--   started_at: First start of its spans, those flagged time_out_of_range left out; null when all are: then the run is on
--     no day, and not pending.
--   ended_at: Last end of its spans, same rule.
--   closed_by: 'root' once a root span has come, 'timeout' when none came in time, null while the run is open; against the
--     latest event time of the warehouse.
--   duration_ms: ended_at less started_at, in milliseconds.
--   outcome: 'success', 'failure', 'escalated' or 'abandoned'; null while unknown.
--   outcome_at: When that was known.
--   outcome_name: Name of that outcome or evaluation.
--   outcome_value_usd: What it is worth, in US dollars, as sent.
--   is_pending: True when no outcome is known and the workflow's outcome window (catalog, 24 hours by default) since
--     the start is still open against the latest event time of the warehouse.
--   model_calls: Model-call spans.
--   priced_model_calls: Those whose cost is known.
--   costless_model_calls: Those that failed without using a token: they cost nothing and need no price.
--   failed_model_calls: Those with status 'error'.
--   tool_calls: Calls of a tool: tool spans, and calls seen only in a model's output (stg_tool_calls).
--   requested_tool_calls: Those of them seen only in a model's output.
--   tool_errors: Tool spans with status 'error'.
--   steps: Model, tool and retrieval spans.
--   policy_decisions: Decisions of policies made in it.
--   allowed_decisions: Those that allowed the action.
--   denied_decisions: Those that denied it.
--   input_tokens: Input tokens of its model calls, cached ones included.
--   cached_input_tokens: The part of input_tokens read from the provider's cache.
--   output_tokens: Output tokens of its model calls, reasoning included.
--   model_cost_usd: Sum of cost_usd over its model calls, in US dollars; null unless every call is priced or costless.
--   tool_cost_usd: Sum of the catalog's cost per call over its tool calls that have one, in US dollars; 0 without tool
--     calls, null when none of its tools has a cost in the catalog.
--   escalation_cost_usd: The catalog's escalation cost when the outcome is 'escalated', in US dollars; 0 otherwise,
--     null when escalated and the catalog has none.
--   cost_usd: model_cost_usd plus what is known of tool_cost_usd and escalation_cost_usd, in US dollars; null when
--     model_cost_usd is.
--   quality_flags: All flags of its spans, and what their packages did not report (stg_run_gaps), each once.

WITH span AS (
    SELECT
        s.*,
        -- Root first, then by start and id; as one binary value it is compared once, not part by part (a third less CPU).
        create_sort_key(
            parent_span_id IS NOT NULL, 'ASC NULLS LAST', started_at, 'ASC NULLS LAST', span_id, 'ASC NULLS LAST'
        ) AS place,
        list_contains(coalesce(quality_flags, []), 'time_out_of_range') AS has_broken_clock,
        list_has_any(coalesce(quality_flags, []), ['time_out_of_range', 'time_missing']) AS is_clockless,
        kind = 'model' AS is_model,
        kind = 'tool' AS is_tool,
        CASE WHEN kind = 'tool' THEN t.cost_per_call_usd END AS tool_call_usd
    FROM spans AS s
    LEFT JOIN catalog_tools AS t USING (tool_name)
),
grouped AS (
    SELECT
        run_id,
        arg_min(workflow, create_sort_key(workflow_rank, 'ASC NULLS LAST', place, 'ASC NULLS LAST')) AS workflow,
        arg_min(session_id, place) AS session_id,
        arg_min(agent, place) AS agent,
        arg_min(release, place) AS release,
        arg_min(agent_version, place) AS agent_version,
        arg_min(prompt_version, place) AS prompt_version,
        arg_min(policy_version, place) AS policy_version,
        arg_min(environment, place) AS environment,
        arg_min(team, place) AS team,
        arg_min(cost_center, place) AS cost_center,
        arg_min(mode, place) AS mode,
        min(started_at) FILTER (NOT has_broken_clock) AS started_at,
        max(ended_at) FILTER (NOT has_broken_clock) AS ended_at,
        bool_or(parent_span_id IS NULL AND NOT is_clockless) AS has_root,
        count(*) FILTER (is_model) AS model_calls,
        count(*) FILTER (is_model AND cost_usd IS NOT NULL) AS priced_model_calls,
        count(*) FILTER (
            is_model AND cost_usd IS NULL AND status = 'error'
            AND coalesce(input_tokens, 0) = 0 AND coalesce(output_tokens, 0) = 0
        ) AS costless_model_calls,
        count(*) FILTER (is_model AND status = 'error') AS failed_model_calls,
        count(*) FILTER (is_tool) AS tool_calls,
        count(*) FILTER (is_tool AND status = 'error') AS tool_errors,
        count(*) FILTER (kind IN ('model', 'tool', 'retrieval')) AS steps,
        sum(input_tokens) FILTER (is_model)::BIGINT AS input_tokens,
        sum(cached_input_tokens) FILTER (is_model)::BIGINT AS cached_input_tokens,
        sum(output_tokens) FILTER (is_model)::BIGINT AS output_tokens,
        sum(cost_usd) FILTER (is_model) AS priced_usd,
        sum(tool_call_usd) AS tool_calls_usd,
        map_entries(histogram(coalesce(request_model, response_model)) FILTER (is_model)) AS models,
        list_sort(list_distinct(flatten(list(quality_flags) FILTER (quality_flags <> [])))) AS quality_flags
    FROM span
    GROUP BY run_id
),
renamed AS (
    SELECT workflow, unnest(formerly) AS former FROM catalog_workflows
),
named AS (
    SELECT g.* REPLACE (coalesce(n.workflow, g.workflow) AS workflow)
    FROM grouped AS g
    LEFT JOIN renamed AS n ON n.former = g.workflow
),
requested AS (
    SELECT r.run_id, count(*) AS calls, sum(t.cost_per_call_usd) AS usd
    FROM stg_tool_calls AS r
    LEFT JOIN catalog_tools AS t USING (tool_name)
    WHERE r.observed_in = 'model output'
    GROUP BY r.run_id
),
decided AS (
    SELECT
        run_id,
        count(*) AS decisions,
        count(*) FILTER (action = 'allow') AS allowed,
        count(*) FILTER (action = 'deny') AS denied
    FROM policy_decisions
    GROUP BY run_id
),
outcome AS (
    SELECT o.*
    FROM stg_outcomes AS o
    JOIN named AS g USING (run_id)
    LEFT JOIN catalog_workflows AS c ON c.workflow = g.workflow
    WHERE c.outcome_name IS NULL OR o.name = c.outcome_name OR (o.source <> 'evaluation' AND o.name IS NULL)
    QUALIFY row_number() OVER (
        PARTITION BY o.run_id ORDER BY o.source = 'evaluation', o.is_of_session, o."at" DESC NULLS LAST, o.outcome_id DESC
    ) = 1
),
costed AS (
    SELECT
        g.run_id,
        g.workflow,
        g.session_id,
        g.agent,
        g.release,
        g.agent_version,
        g.prompt_version,
        g.policy_version,
        g.environment,
        coalesce(g.team, c.team) AS team,
        coalesce(g.cost_center, c.cost_center) AS cost_center,
        g.mode,
        -- Entries come sorted by name, so the first of the greatest is the first by name.
        list_filter(g.models, lambda m: m.value = list_max(list_transform(g.models, lambda n: n.value)))[1].key AS model,
        g.started_at,
        g.ended_at,
        CASE
            WHEN g.has_root THEN 'root'
            WHEN g.ended_at + to_microseconds(
                (coalesce((SELECT max(run_timeout_seconds) FROM stream_settings), 3600) * 1e6)::BIGINT
            ) <= k.latest_at THEN 'timeout'
        END AS closed_by,
        (epoch_us(g.ended_at) - epoch_us(g.started_at)) / 1000.0::DOUBLE AS duration_ms,
        o.status AS outcome,
        o."at" AS outcome_at,
        o.name AS outcome_name,
        o.value_usd AS outcome_value_usd,
        o.status IS NULL AND coalesce(
            k.latest_at < g.started_at + to_microseconds((coalesce(c.outcome_window_hours, 24) * 3.6e9)::BIGINT), false
        ) AS is_pending,
        g.model_calls,
        g.priced_model_calls,
        g.costless_model_calls,
        g.failed_model_calls,
        g.tool_calls + coalesce(q.calls, 0) AS tool_calls,
        coalesce(q.calls, 0) AS requested_tool_calls,
        g.tool_errors,
        g.steps,
        coalesce(p.decisions, 0) AS policy_decisions,
        coalesce(p.allowed, 0) AS allowed_decisions,
        coalesce(p.denied, 0) AS denied_decisions,
        g.input_tokens,
        g.cached_input_tokens,
        g.output_tokens,
        CASE WHEN g.priced_model_calls + g.costless_model_calls = g.model_calls
            THEN coalesce(g.priced_usd, 0) END AS model_cost_usd,
        CASE
            WHEN g.tool_calls + coalesce(q.calls, 0) = 0 THEN 0
            WHEN g.tool_calls_usd IS NOT NULL OR q.usd IS NOT NULL THEN coalesce(g.tool_calls_usd, 0) + coalesce(q.usd, 0)
        END AS tool_cost_usd,
        CASE WHEN o.status IS NOT DISTINCT FROM 'escalated' THEN c.escalation_cost_usd ELSE 0 END AS escalation_cost_usd,
        list_sort(list_distinct(coalesce(g.quality_flags, []) || coalesce(m.gaps, []))) AS quality_flags
    FROM named AS g
    CROSS JOIN event_clock AS k
    LEFT JOIN outcome AS o USING (run_id)
    LEFT JOIN requested AS q USING (run_id)
    LEFT JOIN decided AS p USING (run_id)
    LEFT JOIN stg_run_gaps AS m USING (run_id)
    LEFT JOIN catalog_workflows AS c ON c.workflow = g.workflow
)
-- Added up outside: beside an alias of the same name, the catalog's own column would be meant.
SELECT
    * EXCLUDE (quality_flags),
    model_cost_usd + coalesce(tool_cost_usd, 0) + coalesce(escalation_cost_usd, 0) AS cost_usd,
    quality_flags
FROM costed
ORDER BY started_at, run_id
