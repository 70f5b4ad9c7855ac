-- What was said before: all of it since a while ago, and of what is older the last about each subject that was not over.
-- grain: notification_id
-- parameters: $since
WITH said AS (
    SELECT *, row_number() OVER (PARTITION BY subscription, channel, subject_id ORDER BY made_at DESC, revision DESC) AS place
    FROM notifications
)
SELECT
    notification_id, subscription, channel, subject_id, workflow, occasion, state, revision, extent, made_at, gathered_in
FROM said
WHERE made_at >= $since OR (place = 1 AND kind <> 'digest')
ORDER BY made_at, revision, extent, notification_id
