-- What late outcomes and evaluations need to find their run, and the settings that the marts must know.

ALTER TABLE outcomes ADD COLUMN stated_by VARCHAR;  -- System that stated it, as sent on the topic; null for spans.
ALTER TABLE outcomes ADD COLUMN evaluated_span_id VARCHAR;  -- Span that an evaluation in a span of its own speaks of.
ALTER TABLE outcomes ADD COLUMN response_id VARCHAR;  -- Model response that an evaluation in a trace of its own speaks of.

-- table: stream_settings
-- One row: what the stream was set to when it last started, as far as the marts depend on it.
-- grain: one row
CREATE TABLE stream_settings (
    run_timeout_seconds DOUBLE NOT NULL  -- A run without a root span is closed this long after its last span, in seconds.
);
