-- How far the detectors' streams are: whether what a workflow does is watched yet.

-- table: detector_streams
-- One row per metric of a workflow, as it was at the last checkpoint at which it had changed; a metric has a stream for each of its dimensions (tool, environment).
-- grain: workflow, family, metric
CREATE TABLE detector_streams (
    workflow VARCHAR NOT NULL,  -- Workflow.
    family VARCHAR NOT NULL,  -- Family of drift: 'data', 'behavior', 'tool', 'cost' or 'policy'.
    metric VARCHAR NOT NULL,  -- What is watched.
    needs_data BIGINT NOT NULL,  -- Streams with fewer than 30 units (observations or runs): nothing can be said of them.
    warming_up BIGINT NOT NULL,  -- Streams that are learning what is usual.
    watching BIGINT NOT NULL,  -- Streams that would raise an alarm.
    alarmed BIGINT NOT NULL,  -- Streams that have raised one and wait for an answer.
    retired BIGINT NOT NULL,  -- Streams that were forgotten because nothing came for `retire_after_days`, since the workflow is known; one that came back is counted again under its new state.
    noted_at TIMESTAMP NOT NULL  -- When the row was written, by the clock of that machine.
);
