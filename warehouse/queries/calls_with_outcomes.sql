-- The model calls of settled runs, as `pipelines.stages.price.price` takes them, with what they cost.
-- grain: trace_id, span_id
-- parameters: $workflow (null for all); $since and $until bound the run's start (UTC, until excluded), each null for all
-- Shadow runs are left out. workflow is the run's.
SELECT
    c.trace_id,
    c.span_id,
    c.run_id,
    r.workflow,
    'model' AS kind,
    c.provider,
    c.request_model,
    c.response_model,
    c.input_tokens,
    c.cached_input_tokens,
    c.cache_write_tokens,
    c.output_tokens,
    c.input_audio_tokens,
    c.cached_input_audio_tokens,
    c.output_audio_tokens,
    c.service_tier,
    c.started_at,
    c.cost_usd AS cost_before_usd
FROM model_calls AS c
JOIN runs AS r USING (run_id)
WHERE NOT r.is_pending
    AND r.mode IS DISTINCT FROM 'shadow'
    AND ($workflow::VARCHAR IS NULL OR r.workflow = $workflow::VARCHAR)
    AND ($since::TIMESTAMP IS NULL OR r.started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR r.started_at < $until::TIMESTAMP)
