-- The life of an incident: what changed about it, when, by whom and why.

ALTER TABLE incidents ADD COLUMN revision BIGINT;  -- States it has been in, this one included: 1 for one that was never changed; null for 1.
ALTER TABLE incidents ADD COLUMN silenced_until TIMESTAMP;  -- End of the silence; null where state is not 'silenced'.
ALTER TABLE incidents ADD COLUMN silenced_from VARCHAR;  -- State that it returns to at that end: 'open' or 'acknowledged'; null where state is not 'silenced'.
ALTER TABLE incidents ADD COLUMN merged_into VARCHAR;  -- Incident that it went into, its state then being 'merged'; null else.

-- table: incident_changes
-- One row per change of an incident, those of the detectors included; rows are only ever added. Incidents opened by an earlier version have the changes since.
-- grain: change_id
CREATE TABLE incident_changes (
    change_id VARCHAR NOT NULL,  -- Id: of what the detectors did deterministic, else random.
    incident_id VARCHAR NOT NULL,  -- Incident that changed.
    kind VARCHAR NOT NULL,  -- 'opened', 'signal_joined', 'acknowledged', 'judged_false', 'silenced', 'silence_ended', 'unsilenced', 'resolved', 'resolved_itself', 'reopened', 'merged' (into other_incident_id), 'took_in' (other_incident_id).
    from_state VARCHAR,  -- State before; null before it was opened.
    to_state VARCHAR NOT NULL,  -- State after: 'open', 'acknowledged', 'silenced', 'resolved' or 'merged'.
    "at" TIMESTAMP NOT NULL,  -- When: event time for what the detectors did, else the clock of the machine on which it was said.
    said_by VARCHAR,  -- Who; null for the product itself, and for people who did not say.
    why VARCHAR,  -- Why, as the person says it; of what the product did, in its own words.
    silenced_until TIMESTAMP,  -- Of 'silenced': its end.
    other_incident_id VARCHAR,  -- The other incident of a merge; of a signal that joined, the merged incident it came through.
    signal_id VARCHAR,  -- Of 'opened' and 'signal_joined': the signal.
    noted_at TIMESTAMP NOT NULL  -- When the row was written, by the clock of that machine.
);
