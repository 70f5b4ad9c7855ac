-- Trouble of a worker in the last seven days; each event is told once.
-- grain: event_id
-- parameters: $since
SELECT * FROM operational_events WHERE "at" >= $since ORDER BY "at", event_id
