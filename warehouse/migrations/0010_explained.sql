-- What a signal tells of itself, and what people say about it.

ALTER TABLE signals ADD COLUMN onset_low_at TIMESTAMP;  -- Start of the onset's 90 % interval; null where none was computed.
ALTER TABLE signals ADD COLUMN onset_high_at TIMESTAMP;  -- End of it.
ALTER TABLE signals ADD COLUMN evidence_test VARCHAR;  -- Two-sample test of runs before and after the onset: 'Brunner-Munzel', 'Mann-Whitney', 'Fisher' or 'permuted chi-square'; descriptive, as the samples were chosen because of the alarm; null with fewer than 5 runs on a side.
ALTER TABLE signals ADD COLUMN evidence_statistic DOUBLE;  -- Its statistic: W, U, the odds ratio or chi-square; null where that is not finite.
ALTER TABLE signals ADD COLUMN evidence_p_value DOUBLE;  -- Its two-sided p-value, descriptive.
ALTER TABLE signals ADD COLUMN evidence_measure VARCHAR;  -- What evidence_effect is: 'cliffs_delta', 'risk_difference' (after less before) or 'total_variation'.
ALTER TABLE signals ADD COLUMN evidence_effect DOUBLE;  -- Size of the change between those runs, in that measure.
ALTER TABLE signals ADD COLUMN evidence_low DOUBLE;  -- Lower end of its 95 % interval.
ALTER TABLE signals ADD COLUMN evidence_high DOUBLE;  -- Upper end of it.
ALTER TABLE signals ADD COLUMN evidence_runs_before BIGINT;  -- Runs compared that closed before the onset, at most 1,000.
ALTER TABLE signals ADD COLUMN evidence_runs_after BIGINT;  -- Runs compared that closed from the onset to the alarm, at most 1,000.
ALTER TABLE signals ADD COLUMN causes VARCHAR;  -- JSON text: what changed near the onset, best first: attribute, before, after, changed_at, separates (share of runs that moved, 0 to 1), score.
ALTER TABLE signals ADD COLUMN actions VARCHAR;  -- JSON text: what the catalog lets an operator do, best first: action, target, text; its first text is `containment`.

ALTER TABLE incidents ADD COLUMN leading_signal_id VARCHAR;  -- Signal that the headline speaks of.
ALTER TABLE incidents ADD COLUMN judged_at TIMESTAMP;  -- Event time up to which the last judgement speaks: a later onset opens another incident; null while none took effect.

ALTER TABLE stream_settings ADD COLUMN alarm_budget_per_week DOUBLE;  -- False alarms allowed in a week, for the whole fleet.

ALTER TABLE catalog_workflows ADD COLUMN containment VARCHAR[];  -- What operators may do at once: 'throttle', 'route_to_person', 'disable_tool', 'roll_back'; null when the catalog does not say.

-- table: acknowledgements
-- One row per judgement about an incident, a person's or, where every stream was back, the product's own; rows are only ever added, the latest one holds.
-- grain: acknowledgement_id
CREATE TABLE acknowledgements (
    acknowledgement_id VARCHAR NOT NULL,  -- Random id; deterministic for 'resolved_itself'.
    incident_id VARCHAR NOT NULL,  -- Incident it is about.
    judgement VARCHAR NOT NULL,  -- 'real' (the drift is there and stays), 'false' (there was none), 'resolved' (it is over), or 'resolved_itself': no person's, every stream was back.
    said_by VARCHAR,  -- Who says so.
    note VARCHAR,  -- Why.
    stated_at TIMESTAMP NOT NULL  -- When it was said or found, by the clock of that machine.
);

-- table: applied_acknowledgements
-- One row per judgement that has reached the detectors: from this place in the order of observations on they follow it, in every replay.
-- grain: acknowledgement_id
CREATE TABLE applied_acknowledgements (
    acknowledgement_id VARCHAR NOT NULL,  -- Judgement.
    watermark_at TIMESTAMP NOT NULL,  -- Event time: observations up to it came before the judgement, later ones after it.
    applied_at TIMESTAMP NOT NULL  -- When the worker wrote this.
);
