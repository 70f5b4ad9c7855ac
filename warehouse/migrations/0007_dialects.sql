-- Which package made a span and what it leaves out, what models asked for, and what was delivered more than once.

ALTER TABLE spans ADD COLUMN scope VARCHAR;  -- Instrumentation scope: the package that made the span.
ALTER TABLE spans ADD COLUMN scope_version VARCHAR;  -- Its version.
ALTER TABLE spans ADD COLUMN package_gaps VARCHAR[];  -- What that package is known not to report (docs/dialects.md); null when nothing is known.

-- table: tool_requests
-- One row per tool call that a model's output asks for, whether or not a span of the tool came.
-- grain: trace_id, span_id, position
CREATE TABLE tool_requests (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span of the model call that asked.
    run_id VARCHAR,  -- Run it belongs to.
    workflow VARCHAR,  -- Workflow as named on the span.
    position INTEGER NOT NULL,  -- Place in the output, from 0.
    tool_name VARCHAR,  -- Name of the tool asked for.
    tool_call_id VARCHAR,  -- Id of the call; null when none was sent.
    arguments_shape VARCHAR,  -- Hash of the argument names and types, in hex; never the values.
    "at" TIMESTAMP,  -- End of the model call.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: redeliveries
-- One row per span that was delivered again and therefore not stored a second time.
-- grain: one row per delivery after the first
CREATE TABLE redeliveries (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span id.
    source_file VARCHAR,  -- File it was read from; null when it came from a topic.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);
