-- Gives calls their new price. The registered frame `repriced` has columns of `repriced_calls`.
UPDATE spans
SET cost_usd = r.new_cost_usd, price_id = r.new_price_id
FROM repriced AS r
WHERE spans.trace_id = r.trace_id AND spans.span_id = r.span_id AND spans.kind = 'model' AND spans.started_at = r.started_at
