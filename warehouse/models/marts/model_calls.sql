-- mart: model_calls
-- group: calls
-- One row per call of a model, under its run's workflow and versions.
-- grain: trace_id, span_id
-- period: started_at
-- incremental: run_id
-- keys: run_id → runs
-- columns:
--   trace_id: Trace of the call.
--   span_id: Span of the call.
--   run_id: Run it was made in.
--   workflow: The run's workflow.
--   release: The run's release.
--   agent: Agent that made it, else the run's.
--   environment: The run's environment.
--   started_at: Start of the call.
--   duration_ms: Its duration, in milliseconds.
--   provider: Model provider.
--   request_model: Model asked for.
--   response_model: Model that answered.
--   status: 'ok', 'error' or 'unset'.
--   error_type: Class or code of the error.
--   finish_reason: Why the model stopped.
--   input_tokens: Input tokens, cached ones included.
--   cached_input_tokens: The part of input_tokens read from the cache.
--   cache_write_tokens: Tokens written to the cache.
--   output_tokens: Output tokens, reasoning included.
--   reasoning_tokens: The part of output_tokens spent on reasoning.
--   service_tier: Service tier, as sent: standard, batch, flex, priority.
--   input_audio_tokens: The part of input_tokens that is audio; null where the modalities are not told apart.
--   cached_input_audio_tokens: The part of cached_input_tokens that is audio, same rule.
--   output_audio_tokens: The part of output_tokens that is audio, same rule.
--   cost_usd: Cost in US dollars at the price in force when it ran; null when the price is unknown.
--   price_id: The price used.

SELECT
    s.trace_id,
    s.span_id,
    s.run_id,
    r.workflow,
    r.release,
    coalesce(s.agent, r.agent) AS agent,
    r.environment,
    s.started_at,
    s.duration_ms,
    s.provider,
    s.request_model,
    s.response_model,
    s.status,
    s.error_type,
    s.finish_reason,
    s.input_tokens,
    s.cached_input_tokens,
    s.cache_write_tokens,
    s.output_tokens,
    s.reasoning_tokens,
    s.service_tier,
    s.input_audio_tokens,
    s.cached_input_audio_tokens,
    s.output_audio_tokens,
    s.cost_usd,
    s.price_id
FROM spans AS s
JOIN runs AS r USING (run_id)
WHERE s.kind = 'model'
