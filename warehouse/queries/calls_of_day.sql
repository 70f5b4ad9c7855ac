-- The model calls of one day as `pipelines.stages.price.price` takes them, with the price they have.
-- grain: trace_id, span_id
-- parameters: $day, $next: the day and the next one, by the call's start (UTC)
-- columns: those of `spans`, but for old_price_id and old_cost_usd: price_id and cost_usd as stored.

SELECT
    trace_id,
    span_id,
    kind,
    provider,
    request_model,
    response_model,
    input_tokens,
    cached_input_tokens,
    cache_write_tokens,
    output_tokens,
    input_audio_tokens,
    cached_input_audio_tokens,
    output_audio_tokens,
    service_tier,
    started_at,
    price_id AS old_price_id,
    cost_usd AS old_cost_usd
FROM spans
WHERE kind = 'model' AND started_at >= $day AND started_at < $next
