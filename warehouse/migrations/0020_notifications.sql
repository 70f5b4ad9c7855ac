-- Who was told what: notifications take the place of table deliveries, whose rows go over.

-- table: notifications
-- One row per notification: one state of one subject, for one subscription and channel. Written before it is sent, so that it is sent at least once, and under this id each time.
-- grain: notification_id
CREATE TABLE notifications (
    notification_id VARCHAR NOT NULL,  -- Deterministic id: subject, revision and occasion, subscription and channel; receivers know duplicates by it.
    subscription VARCHAR NOT NULL,  -- Subscription, of subscriptions.yaml, or 'default'.
    channel VARCHAR NOT NULL,  -- Channel, of subscriptions.yaml, or 'console' and 'kafka'.
    kind VARCHAR NOT NULL,  -- What it is about: 'drift', 'budget', 'forecast', 'readiness', 'audit', 'quality', 'operation'; 'digest' gathers several.
    subject_id VARCHAR NOT NULL,  -- Incident or other subject.
    occasion VARCHAR NOT NULL,  -- Why: 'opened', 'changed', 'reopened', 'acknowledged', 'silenced', 'resolved', 'renotified', 'escalated', 'digest'.
    state VARCHAR NOT NULL,  -- State of the subject, as told.
    revision BIGINT NOT NULL,  -- Which of its states that was: 1 for the first.
    extent BIGINT NOT NULL,  -- How much of it there was, as told: of an incident its signals.
    severity VARCHAR,  -- 'info', 'warning' or 'critical', as told; null for what an earlier version told.
    workflow VARCHAR,  -- Workflow; null where it is about none.
    message VARCHAR,  -- What is said, as JSON text; null where gathered_in says it, and for what an earlier version told.
    gathered_in VARCHAR,  -- Notification of kind 'digest' that says it; null where it is a message of its own.
    status VARCHAR NOT NULL,  -- 'waiting', 'delivered', 'set_aside' (the channel will never take it, or did not for too many tries) or 'gathered'.
    tries BIGINT NOT NULL,  -- Tries so far.
    next_try_at TIMESTAMP,  -- Not before; null where it is settled.
    made_at TIMESTAMP NOT NULL,  -- When it was decided to tell it.
    settled_at TIMESTAMP  -- When it was delivered or set aside; null while it waits.
);

-- table: delivery_attempts
-- The delivery log: one row per try to say a notification; rows are only ever added.
-- grain: notification_id, began_at
CREATE TABLE delivery_attempts (
    notification_id VARCHAR NOT NULL,  -- What was tried to say.
    channel VARCHAR NOT NULL,  -- Where.
    began_at TIMESTAMP NOT NULL,  -- When the try began.
    duration_ms DOUBLE NOT NULL,  -- How long it took, in milliseconds.
    verdict VARCHAR NOT NULL,  -- 'delivered', 'retry' or 'rejected'.
    said VARCHAR NOT NULL,  -- What the other side answered, without secrets.
    retry_after_seconds DOUBLE  -- How long the other side asked to wait; null where it did not say.
);

-- table: check_results
-- One row per check of `plumbline refresh`, as it came out last.
-- grain: check_name
CREATE TABLE check_results (
    check_name VARCHAR NOT NULL,  -- Check, as in Dagster.
    passed BOOLEAN NOT NULL,  -- Whether all that it expects holds.
    is_blocking BOOLEAN NOT NULL,  -- Whether marts wait for it; else it only warns.
    summary VARCHAR NOT NULL,  -- What is broken, in one line.
    since_at TIMESTAMP NOT NULL  -- When it came out so first, by the clock of that machine.
);

INSERT INTO notifications
SELECT
    min(d.delivery_id), 'default', CASE WHEN d.channel LIKE 'kafka:%' THEN 'kafka' ELSE d.channel END,
    CASE WHEN i.incident_id IS NULL THEN 'operation' ELSE 'drift' END,
    d.incident_id, 'opened', coalesce(i.state, 'open'), 1, coalesce(i.signals, 1), i.severity, i.workflow, NULL, NULL, 'delivered', 1, NULL,
    max(d.delivered_at), max(d.delivered_at)
FROM deliveries AS d
LEFT JOIN incidents AS i ON i.incident_id = d.incident_id
WHERE i.incident_id IS NULL OR d.revision = i.state || '/' || i.signals
GROUP BY ALL;

DROP TABLE deliveries;
