-- Whom an incident was told to: each notification with its last try, the newest first.
-- grain: notification_id
-- $1 incident id, $2 rows
SELECT
    n.notification_id,
    n.occasion,
    n.subscription,
    n.channel,
    coalesce(g.status, n.status) AS status,
    n.gathered_in IS NOT NULL AS is_gathered,
    coalesce(g.tries, n.tries) AS tries,
    n.made_at,
    coalesce(g.settled_at, n.settled_at) AS settled_at,
    coalesce(g.next_try_at, n.next_try_at) AS next_try_at,
    t.verdict,
    t.said,
    t.tried_at
FROM notifications AS n
LEFT JOIN notifications AS g ON g.notification_id = n.gathered_in
LEFT JOIN (
    SELECT
        notification_id,
        arg_max(verdict, began_at) AS verdict,
        arg_max(said, began_at) AS said,
        max(began_at) AS tried_at
    FROM delivery_attempts
    GROUP BY notification_id
) AS t ON t.notification_id = coalesce(n.gathered_in, n.notification_id)
WHERE n.subject_id = $1
ORDER BY n.made_at DESC, n.notification_id
LIMIT $2
