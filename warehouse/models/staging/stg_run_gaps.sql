-- view: stg_run_gaps
-- What the packages that made a run's spans did not report, where it matters to the run: known of the package
-- (docs/dialects.md) and not disproved by the run itself, or seen from the run's spans.
-- grain: run_id
-- columns:
--   run_id: The run; only those with a gap.
--   gaps: Flags, sorted: 'cached_tokens_not_reported', 'errors_not_reported', 'failed_calls_not_reported' and
--     'response_model_not_reported' of the package; 'tool_spans_not_reported' (a tool call is seen only in a model's
--     output), 'usage_not_reported' (a model call that did not fail has no tokens).

WITH requested AS (
    SELECT run_id, count(*) AS calls FROM stg_tool_calls WHERE observed_in = 'model output' GROUP BY run_id
),
seen AS (
    SELECT
        run_id,
        list_distinct(flatten(list(package_gaps) FILTER (package_gaps IS NOT NULL))) AS known,
        count(*) FILTER (kind = 'model') AS model_calls,
        count(*) FILTER (kind = 'model' AND status = 'error') AS failed,
        count(cached_input_tokens) AS with_cached,
        count(input_tokens) AS with_input,
        count(*) FILTER (kind = 'model' AND input_tokens IS NOT NULL AND response_model IS NOT NULL) AS with_response_model,
        count(*) FILTER (
            kind = 'model' AND status <> 'error' AND input_tokens IS NULL AND output_tokens IS NULL
        ) AS without_usage
    FROM spans
    GROUP BY run_id
),
flagged AS (
    SELECT
        s.run_id,
        list_sort(list_filter([
            CASE WHEN list_contains(s.known, 'cached_tokens_not_reported') AND s.with_input > 0 AND s.with_cached = 0
                THEN 'cached_tokens_not_reported' END,
            CASE WHEN list_contains(s.known, 'errors_not_reported') AND s.model_calls > 0 THEN 'errors_not_reported' END,
            CASE WHEN list_contains(s.known, 'failed_calls_not_reported') AND s.model_calls > 0 AND s.failed = 0
                THEN 'failed_calls_not_reported' END,
            CASE WHEN list_contains(s.known, 'response_model_not_reported') AND s.with_input > 0 AND s.with_response_model = 0
                THEN 'response_model_not_reported' END,
            CASE WHEN r.calls > 0 THEN 'tool_spans_not_reported' END,
            CASE WHEN s.without_usage > 0 THEN 'usage_not_reported' END
        ], lambda flag: flag IS NOT NULL)) AS gaps
    FROM seen AS s
    LEFT JOIN requested AS r USING (run_id)
)
SELECT run_id, gaps
FROM flagged
WHERE gaps <> []
