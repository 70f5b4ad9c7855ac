-- The runs around an onset that the detectors had judged by the alarm: on each side of it the last ones, with their versions.
-- A run counts by the time at which it closed (its root's end, or the timeout after its last span), as for the detectors. Those
-- closed by the alarm are all in the warehouse when the watermark has passed it, so the answer does not depend on batches.
-- grain: trace_id
-- parameters: $workflow, $onset, $until (UTC), $days (looked back), $timeout (of a run, in seconds), $tool (only runs that call
--   it, null for all), $most (runs on a side)
-- Read once for the traces and once for their spans, each time only what is needed of it: held in memory, this would be every column
-- of all workflows' spans of two weeks. The attributes, most of a span's bytes, are read of the tool's own spans only.
WITH span AS NOT MATERIALIZED (
    SELECT
        *,
        parent_span_id IS NULL AS is_root,
        {'child': parent_span_id IS NOT NULL, 'at': started_at, 'id': span_id} AS place
    FROM spans
    WHERE started_at BETWEEN $onset - to_days($days) AND $until
        AND ended_at <= $until
        AND mode IS DISTINCT FROM 'shadow'
        AND NOT list_has_any(coalesce(quality_flags, []), ['time_missing', 'time_out_of_range', 'replayed'])
),
run AS (
    SELECT
        trace_id,
        arg_min(run_id, place) AS run_id,
        arg_min(workflow, {'rank': coalesce(workflow_rank, 9), 'place': place}) AS workflow,
        coalesce(
            min(ended_at) FILTER (is_root), max(ended_at) + to_microseconds(($timeout * 1e6)::BIGINT)
        ) AS closed_at,
        arg_min(release, place) AS release,
        arg_min(prompt_version, place) AS prompt_version,
        arg_min(policy_version, place) AS policy_version,
        arg_min(agent_version, place) AS agent_version,
        arg_min(coalesce(request_model, response_model), place) FILTER (kind = 'model') AS request_model,
        arg_min(price_id, place) FILTER (kind = 'model') AS price_id,
        bool_or(coalesce(tool_name = $tool, false)) AS calls_tool
    FROM span
    WHERE trace_id IN (SELECT trace_id FROM span WHERE workflow = $workflow)
    GROUP BY trace_id
),
tool AS (
    SELECT
        trace_id,
        arg_min(
            coalesce(
                attributes ->> '$."gen_ai.tool.version"', attributes ->> '$."tool.version"',
                attributes ->> '$."mcp.server.version"'
            ),
            place
        ) AS tool_version
    FROM span
    WHERE tool_name = $tool
    GROUP BY trace_id
)
SELECT run.* EXCLUDE (workflow, calls_tool), tool_version, closed_at >= $onset AS is_after
FROM run
LEFT JOIN tool USING (trace_id)
WHERE workflow = $workflow AND closed_at <= $until AND (calls_tool OR $tool IS NULL)
QUALIFY row_number() OVER (PARTITION BY is_after ORDER BY closed_at DESC, trace_id) <= $most
ORDER BY closed_at, trace_id
