-- What the detectors found.

-- table: signals
-- One row per alarm of one detector stream.
-- grain: signal_id
CREATE TABLE signals (
    signal_id VARCHAR NOT NULL,  -- Deterministic id of the alarm.
    incident_id VARCHAR,  -- Incident it belongs to.
    workflow VARCHAR,  -- Workflow of the stream.
    family VARCHAR,  -- 'data', 'behavior', 'tool', 'cost' or 'policy'.
    metric VARCHAR,  -- What is watched.
    dimension VARCHAR,  -- Tool, source or other part of the metric; '' for none.
    kind VARCHAR,  -- 'continuous', 'rate', 'mix', 'spike' or 'rule'.
    detector VARCHAR,  -- Detector that raised it.
    "at" TIMESTAMP,  -- Event time of the alarm.
    onset_at TIMESTAMP,  -- Estimated event time of the change.
    log_e DOUBLE,  -- Natural logarithm of the evidence at the alarm.
    threshold DOUBLE,  -- Threshold that it crossed, same scale.
    before_value DOUBLE,  -- Mean or rate before the onset.
    after_value DOUBLE,  -- Mean or rate after it.
    effect DOUBLE,  -- Size of the change, in `unit`.
    unit VARCHAR,  -- Unit of the values.
    n_before BIGINT,  -- Observations behind before_value.
    n_after BIGINT,  -- Observations behind after_value.
    run_ids VARCHAR[],  -- Some runs that show it.
    detail VARCHAR,  -- JSON text: shares before and after for mixes, the second opinion.
    headline VARCHAR,  -- One sentence for people.
    cause VARCHAR,  -- What changed near the onset, when known.
    containment VARCHAR,  -- What to do first.
    created_at TIMESTAMP  -- When the row was written.
);

-- table: incidents
-- One row per incident: signals of one workflow that are close in time.
-- grain: incident_id
CREATE TABLE incidents (
    incident_id VARCHAR NOT NULL,  -- Deterministic id.
    workflow VARCHAR,  -- Workflow it is about.
    family VARCHAR,  -- Family of its strongest signal.
    families VARCHAR[],  -- All families involved.
    severity VARCHAR,  -- 'info', 'warning' or 'critical'.
    state VARCHAR,  -- 'open', 'acknowledged', 'silenced' or 'resolved'.
    headline VARCHAR,  -- One sentence for people.
    onset_at TIMESTAMP,  -- Estimated event time of the change.
    opened_at TIMESTAMP,  -- Event time of its first signal.
    last_signal_at TIMESTAMP,  -- Event time of its last signal.
    signals BIGINT,  -- Number of signals.
    run_ids VARCHAR[],  -- Some runs that show it.
    updated_at TIMESTAMP  -- When the row was written.
);
