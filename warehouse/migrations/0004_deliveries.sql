-- What was sent to whom: the outbox of alerts.

-- table: deliveries
-- One row per message delivered to a channel; an incident's state that has no row here is still to be sent.
-- grain: delivery_id
CREATE TABLE deliveries (
    delivery_id VARCHAR NOT NULL,  -- Deterministic id of the message: incident, revision and channel.
    incident_id VARCHAR NOT NULL,  -- Incident it tells of.
    revision VARCHAR NOT NULL,  -- State of the incident and its number of signals, as told.
    channel VARCHAR NOT NULL,  -- Where it went: a topic, the console.
    delivered_at TIMESTAMP NOT NULL  -- When the channel took it.
);
