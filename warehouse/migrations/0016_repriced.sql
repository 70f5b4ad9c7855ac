-- What `plumbline backfill prices` changed.

-- table: repriced_calls
-- One row per model call whose price was replaced, each time it was.
-- grain: trace_id, span_id, repriced_at
CREATE TABLE repriced_calls (
    trace_id VARCHAR NOT NULL,  -- Trace of the call.
    span_id VARCHAR NOT NULL,  -- Span of the call.
    started_at TIMESTAMP NOT NULL,  -- Start of the call.
    old_price_id VARCHAR,  -- The price before, a row of price_list; null where there was none.
    old_cost_usd DOUBLE,  -- Its cost before, in US dollars; null where the price was not known.
    new_price_id VARCHAR NOT NULL,  -- The price since, a row of price_list.
    new_cost_usd DOUBLE NOT NULL,  -- Its cost since, in US dollars.
    repriced_at TIMESTAMP NOT NULL  -- When it was replaced.
);
