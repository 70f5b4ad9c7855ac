-- What channels were told about one incident, oldest first.
-- grain: delivery_id
SELECT delivery_id, revision, channel, delivered_at FROM deliveries WHERE incident_id = $1 ORDER BY delivered_at, delivery_id
