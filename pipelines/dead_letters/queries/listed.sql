-- Dead letters, latest first.
-- parameters: 1 reason (null: any), 2 topic (null: any), 3 whether those replayed are listed too, 4 most rows.
-- columns:
--   bytes: Length of the payload.

SELECT
    dead_letter_id, reason, topic, "partition", "offset", octet_length(payload) AS bytes, message_at, seen_at,
    replayed_at, replayed_spans, detail
FROM dead_letters
WHERE
    reason = coalesce($1, reason) AND topic = coalesce($2, topic)
    AND ($3 OR replayed_at IS NULL)
ORDER BY seen_at DESC, topic, "partition", "offset"
LIMIT $4
