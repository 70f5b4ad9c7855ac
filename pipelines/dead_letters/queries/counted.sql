-- How many dead letters there are by reason and topic, and since when; the most frequent first.
-- parameters: 1 reason (null: any), 2 topic (null: any).

SELECT
    reason, topic, count(*) FILTER (replayed_at IS NULL) AS waiting, count(*) FILTER (replayed_at IS NOT NULL) AS replayed,
    min(seen_at) AS first_seen_at, max(seen_at) AS last_seen_at
FROM dead_letters
WHERE reason = coalesce($1, reason) AND topic = coalesce($2, topic)
GROUP BY reason, topic
ORDER BY waiting DESC, replayed DESC, reason, topic
