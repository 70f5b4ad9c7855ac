-- Those of the given dead letters (parameter 1: list of ids) that were not replayed, in order of arrival.
-- columns:
--   dead_letter_id: The letter.
--   size: Length of its payload, in bytes.

SELECT dead_letter_id, octet_length(payload) AS size
FROM dead_letters
WHERE list_contains(?::VARCHAR[], dead_letter_id) AND replayed_at IS NULL
ORDER BY seen_at, topic, "partition", "offset"
