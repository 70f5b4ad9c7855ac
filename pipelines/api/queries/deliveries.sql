-- What was decided to tell of one incident, to whom, and what became of it, oldest first.
-- grain: notification_id
-- parameters: 1 incident_id
SELECT
    notification_id, subscription, channel, occasion, state, status, tries, made_at, settled_at, next_try_at, t.said AS said
FROM notifications
LEFT JOIN (
    SELECT notification_id, arg_max(said, began_at) AS said FROM delivery_attempts GROUP BY notification_id
) AS t USING (notification_id)
WHERE subject_id = $1
ORDER BY made_at, notification_id
