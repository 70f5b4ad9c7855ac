-- The raw facts, as the stream writes them. TIMESTAMP is UTC without a zone, to the microsecond. Unknown is null, never 0.
-- The comments are the data dictionary's source: a table's header lines, then one comment per column.

-- table: schema_migrations
-- One row per migration that has run.
-- grain: version
CREATE TABLE schema_migrations (
    version INTEGER NOT NULL,  -- Number of the file in warehouse/migrations.
    name VARCHAR NOT NULL,  -- Its name without the number.
    applied_at TIMESTAMP NOT NULL  -- When it was committed here.
);

-- table: spans
-- One row per span received, each once however often it was delivered.
-- grain: trace_id, span_id
CREATE TABLE spans (
    trace_id VARCHAR NOT NULL,  -- Trace id, 32 lower-case hex digits.
    span_id VARCHAR NOT NULL,  -- Span id, 16 lower-case hex digits.
    parent_span_id VARCHAR,  -- Span id of the parent; null for the root span of a run.
    run_id VARCHAR NOT NULL,  -- The agent run this span belongs to; the trace id unless the trace says otherwise.
    session_id VARCHAR,  -- Conversation or session that may hold several runs.
    workflow VARCHAR NOT NULL,  -- Workflow as named on this span; 'unknown' as the last resort.
    workflow_rank TINYINT,  -- How good that name is: 1 workflow name, 2 agent name, 3 service.name, 4 unknown.
    agent VARCHAR,  -- Name of the agent.
    agent_version VARCHAR,  -- Version of the agent.
    prompt_version VARCHAR,  -- Version of the prompt.
    policy_version VARCHAR,  -- Version of the policy in force.
    release VARCHAR,  -- Release of the workflow.
    environment VARCHAR,  -- Deployment environment.
    team VARCHAR,  -- Team that the spend belongs to.
    cost_center VARCHAR,  -- Cost center that the spend belongs to.
    mode VARCHAR,  -- 'live', 'shadow' (acts on nothing) or 'canary'.
    kind VARCHAR NOT NULL,  -- 'run', 'agent', 'model', 'tool', 'retrieval', 'policy', 'approval', 'evaluation', 'rollback' or 'other'.
    name VARCHAR,  -- Name of the span as sent.
    status VARCHAR,  -- 'ok', 'error' or 'unset'.
    error_type VARCHAR,  -- Class or code of the error.
    started_at TIMESTAMP,  -- Start of the span.
    ended_at TIMESTAMP,  -- End of the span.
    duration_ms DOUBLE,  -- End less start, in milliseconds.
    provider VARCHAR,  -- Model provider.
    request_model VARCHAR,  -- Model asked for.
    response_model VARCHAR,  -- Model that answered.
    input_tokens BIGINT,  -- Input tokens of a model call, cached ones included; null on other kinds.
    cached_input_tokens BIGINT,  -- The part of input_tokens read from the provider's cache.
    cache_write_tokens BIGINT,  -- Tokens written to the provider's cache.
    output_tokens BIGINT,  -- Output tokens of a model call, reasoning included.
    reasoning_tokens BIGINT,  -- The part of output_tokens spent on reasoning.
    finish_reason VARCHAR,  -- Why the model stopped.
    tool_name VARCHAR,  -- Name of the tool called.
    tool_call_id VARCHAR,  -- Id of the tool call.
    tool_arguments_shape VARCHAR,  -- Hash of the argument names and types, in hex; never the values.
    tool_effect VARCHAR,  -- 'read', 'write' or 'irreversible', as sent.
    compensates VARCHAR,  -- Id of the tool call that this one undoes.
    source_ids VARCHAR[],  -- Documents a retrieval returned.
    cost_usd DOUBLE,  -- Cost of the model call at the price in force when it ran; null when the price is unknown.
    price_id VARCHAR,  -- The price used, a row of price_list.
    dialect VARCHAR,  -- Convention the span was written in.
    quality_flags VARCHAR[],  -- What was odd about the span and how it was mended.
    attributes VARCHAR,  -- All other attributes, as the text of a JSON object.
    source_file VARCHAR,  -- File it was read from; null when it came from a topic.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);
-- By day, so that a batch's look for redelivered spans opens that day's files only, and a span with a broken clock (1970,
-- 2100) gets a file of its own instead of widening the range of everybody else's.
ALTER TABLE spans SET PARTITIONED BY (year(started_at), month(started_at), day(started_at));
-- Sorted when files are merged; sorting at insert as well cost 45 ms more per 30,000 rows.
ALTER TABLE spans SET SORTED BY (started_at ASC);
CALL lake.set_option('sort_on_insert', false);

-- table: outcomes
-- One row per statement about how a run ended; the latest one holds.
-- grain: outcome_id
CREATE TABLE outcomes (
    outcome_id VARCHAR NOT NULL,  -- Deterministic id, so that redelivery is harmless.
    run_id VARCHAR,  -- The run it speaks of, when known by run.
    trace_id VARCHAR,  -- Its trace, when known by trace.
    session_id VARCHAR,  -- Its session, when known by session.
    workflow VARCHAR,  -- Its workflow, when stated.
    status VARCHAR NOT NULL,  -- 'success', 'failure', 'escalated' or 'abandoned'.
    name VARCHAR,  -- Name of the outcome or evaluation.
    value_usd DOUBLE,  -- What the outcome is worth, in US dollars.
    score DOUBLE,  -- Score behind the status, when there is one.
    "at" TIMESTAMP,  -- When the outcome was known.
    source VARCHAR,  -- 'span', 'evaluation' or 'topic'.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: policy_decisions
-- One row per decision of a policy.
-- grain: trace_id, span_id, policy, rule, at
CREATE TABLE policy_decisions (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span that carries the decision.
    run_id VARCHAR,  -- Run it was made in.
    workflow VARCHAR,  -- Workflow as named on the span.
    policy VARCHAR,  -- Name of the policy.
    policy_version VARCHAR,  -- Version the decision was made under.
    rule VARCHAR,  -- Rule that decided.
    action VARCHAR,  -- 'allow', 'deny', 'escalate' or 'redact'.
    enforced BOOLEAN,  -- Whether the action was carried out.
    "at" TIMESTAMP,  -- When it was made.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: approvals
-- One row per step of an approval: asked for, granted, denied, bypassed.
-- grain: trace_id, span_id, status, at
CREATE TABLE approvals (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span that carries the approval.
    run_id VARCHAR,  -- Run it belongs to.
    workflow VARCHAR,  -- Workflow as named on the span.
    status VARCHAR,  -- 'requested', 'granted', 'denied' or 'bypassed'.
    decided_by VARCHAR,  -- Who decided.
    tool_name VARCHAR,  -- Tool that waited for it.
    "at" TIMESTAMP,  -- When it happened.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: rollbacks
-- One row per rollback or drill.
-- grain: trace_id, span_id, kind, at
CREATE TABLE rollbacks (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span that carries the rollback.
    run_id VARCHAR,  -- Run it belongs to.
    workflow VARCHAR,  -- Workflow as named on the span.
    kind VARCHAR,  -- 'kill_switch', 'version', 'compensation', 'quarantine' or 'replay'.
    trigger_reason VARCHAR,  -- What set it off.
    drill BOOLEAN,  -- Whether it was an exercise.
    completed_at TIMESTAMP,  -- When it was done; null while it runs or when not sent.
    status VARCHAR,  -- How it ended, as sent.
    "at" TIMESTAMP,  -- When it was triggered.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: overrides
-- One row per decision of an agent that a person changed or rejected.
-- grain: trace_id, span_id, at
CREATE TABLE overrides (
    trace_id VARCHAR NOT NULL,  -- Trace id.
    span_id VARCHAR NOT NULL,  -- Span that carries the override.
    run_id VARCHAR,  -- Run it belongs to.
    workflow VARCHAR,  -- Workflow as named on the span.
    decided_by VARCHAR,  -- Who changed it.
    "at" TIMESTAMP,  -- When.
    topic VARCHAR,  -- Topic it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    ingested_at TIMESTAMP  -- When the batch was committed.
);

-- table: dead_letters
-- One row per message or record that could not be read, with its bytes.
-- grain: dead_letter_id
CREATE TABLE dead_letters (
    dead_letter_id VARCHAR NOT NULL,  -- Deterministic id, so that redelivery is harmless.
    topic VARCHAR,  -- Topic or file it came from.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Offset of the message in the partition.
    reason VARCHAR,  -- Class of the failure.
    detail VARCHAR,  -- The decoder's words.
    payload BLOB,  -- The original bytes.
    headers VARCHAR,  -- The message's headers, as JSON text.
    message_at TIMESTAMP,  -- The message's own time.
    seen_at TIMESTAMP  -- When it was read here.
);

-- table: consumed_offsets
-- How far each partition has been consumed; committed with the rows themselves, so each message counts once.
-- grain: topic, partition
CREATE TABLE consumed_offsets (
    topic VARCHAR NOT NULL,  -- Topic, or file for the file source.
    "partition" INTEGER NOT NULL,  -- Partition of the topic.
    next_offset BIGINT NOT NULL,  -- First offset not yet committed.
    committed_at TIMESTAMP  -- When this was committed.
);
