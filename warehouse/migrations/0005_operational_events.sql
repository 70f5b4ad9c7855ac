-- What went wrong with the stream itself, as opposed to the agents it watches.

-- table: operational_events
-- One row per trouble of a worker that an operator should know of.
-- grain: event_id
CREATE TABLE operational_events (
    event_id VARCHAR NOT NULL,  -- Deterministic id: the same trouble at the same place is told once.
    kind VARCHAR NOT NULL,  -- 'stalled_fetch': a partition's position stood still while its end was ahead.
    topic VARCHAR,  -- Topic it is about.
    "partition" INTEGER,  -- Partition of the topic.
    "offset" BIGINT,  -- Where the worker stood.
    end_offset BIGINT,  -- Where the partition ended then.
    headline VARCHAR NOT NULL,  -- One sentence for people.
    "at" TIMESTAMP NOT NULL  -- When it was noticed.
);
