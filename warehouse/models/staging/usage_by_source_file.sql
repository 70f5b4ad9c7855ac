-- view: usage_by_source_file
-- What each file said, straight from the raw tables: current without a refresh. A span that came from several files counts
-- in each of them, once; so the file that repeats another's spans has that one's figures.
-- grain: source_file
-- columns:
--   source_file: File the spans were read from, or the topic.
--   runs: Runs with a span in it.
--   spans: Different spans in it.
--   deliveries: Spans in it with every delivery counted.
--   model_calls: Model-call spans.
--   failed_calls: Those that failed; null when none is seen and the package makes no span for a failed call.
--   input_tokens: Input tokens of its model calls, cached ones included.
--   output_tokens: Output tokens of its model calls, reasoning included.
--   cached_input_tokens: The part of input_tokens read from the provider's cache; null when not reported.
--   tool_calls: Calls of a tool: tool spans, and calls seen only in a model's output.
--   cost_usd: Cost of the model calls that have a price, in US dollars; null when none has. Too high where cached tokens are
--     not reported.
--   price_coverage_ratio: Share of the model calls that could be priced among those that used a token or did not fail.
--   request_models: Models asked for.
--   response_models: Models that answered.
--   quality_flags: What was odd about its spans, and what their packages did not report.

WITH first_delivery AS (
    SELECT coalesce(source_file, topic) AS source_file, trace_id, span_id FROM spans
),
again AS (
    SELECT coalesce(source_file, topic) AS source_file, trace_id, span_id FROM redeliveries
),
delivered AS (
    SELECT * FROM first_delivery
    UNION ALL
    SELECT DISTINCT a.*
    FROM again AS a
    WHERE NOT EXISTS (
        SELECT 1
        FROM first_delivery AS f
        WHERE f.source_file = a.source_file AND f.trace_id = a.trace_id AND f.span_id = a.span_id
    )
),
repeated AS (
    SELECT a.source_file, count(*) AS deliveries
    FROM again AS a
    GROUP BY a.source_file
),
origin AS (
    SELECT source_file, count(*) AS deliveries FROM first_delivery GROUP BY source_file
),
called AS (
    SELECT d.source_file, count(*) AS tool_calls
    FROM stg_tool_calls AS t
    JOIN delivered AS d USING (trace_id, span_id)
    GROUP BY d.source_file
),
flagged AS (
    SELECT d.source_file, unnest(s.quality_flags) AS flag
    FROM delivered AS d
    JOIN spans AS s USING (trace_id, span_id)
    WHERE s.quality_flags <> []
    UNION
    SELECT d.source_file, unnest(g.gaps)
    FROM delivered AS d
    JOIN stg_run_gaps AS g ON g.run_id = d.trace_id
),
flags AS (
    SELECT source_file, list(flag ORDER BY flag) AS quality_flags FROM flagged GROUP BY source_file
),
totals AS (
    SELECT
        d.source_file,
        count(DISTINCT s.run_id) AS runs,
        count(*) AS spans,
        count(*) FILTER (s.kind = 'model') AS model_calls,
        count(*) FILTER (s.kind = 'model' AND s.status = 'error') AS failed,
        bool_or(list_contains(s.package_gaps, 'failed_calls_not_reported')) AS hides_failures,
        sum(s.input_tokens)::BIGINT AS input_tokens,
        sum(s.output_tokens)::BIGINT AS output_tokens,
        sum(s.cached_input_tokens)::BIGINT AS cached_input_tokens,
        sum(s.cost_usd) AS cost_usd,
        count(s.cost_usd) FILTER (s.kind = 'model') / nullif(count(*) FILTER (
            s.kind = 'model' AND (s.status <> 'error' OR s.input_tokens > 0 OR s.output_tokens > 0)
        ), 0) AS price_coverage_ratio,
        list_sort(list(DISTINCT s.request_model) FILTER (s.kind = 'model' AND s.request_model IS NOT NULL)) AS request_models,
        list_sort(list(DISTINCT s.response_model) FILTER (s.response_model IS NOT NULL)) AS response_models
    FROM delivered AS d
    JOIN spans AS s USING (trace_id, span_id)
    GROUP BY d.source_file
)
SELECT
    t.source_file,
    t.runs,
    t.spans,
    coalesce(o.deliveries, 0) + coalesce(r.deliveries, 0) AS deliveries,
    t.model_calls,
    CASE WHEN t.failed > 0 OR t.hides_failures IS NOT TRUE THEN t.failed END AS failed_calls,
    t.input_tokens,
    t.output_tokens,
    t.cached_input_tokens,
    coalesce(c.tool_calls, 0) AS tool_calls,
    t.cost_usd,
    t.price_coverage_ratio,
    t.request_models,
    t.response_models,
    coalesce(f.quality_flags, []) AS quality_flags
FROM totals AS t
LEFT JOIN origin AS o USING (source_file)
LEFT JOIN repeated AS r USING (source_file)
LEFT JOIN called AS c USING (source_file)
LEFT JOIN flags AS f USING (source_file)
ORDER BY t.source_file
