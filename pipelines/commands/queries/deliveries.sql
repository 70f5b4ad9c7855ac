-- What was told to whom, and what the other side answered last: the newest, in the order in which they were made.
-- grain: notification_id
-- parameters: $statuses, $limit
WITH answered AS (
    SELECT notification_id, arg_max(said, began_at) AS answer, arg_max(duration_ms, began_at) AS duration_ms
    FROM delivery_attempts
    GROUP BY notification_id
),
newest AS (
    SELECT * FROM notifications WHERE list_contains($statuses, status) ORDER BY made_at DESC, notification_id LIMIT $limit
)
SELECT
    n.notification_id, n.made_at, n.subscription, n.channel, n.status, n.tries, a.answer, n.next_try_at, n.kind, n.subject_id,
    n.occasion, n.state, n.severity, n.workflow
FROM newest AS n
LEFT JOIN answered AS a USING (notification_id)
ORDER BY n.made_at, n.notification_id
