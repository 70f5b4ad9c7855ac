-- The given dead letters (parameter 1: list of ids) whole, in order of arrival.

SELECT * FROM dead_letters
WHERE list_contains(?::VARCHAR[], dead_letter_id)
ORDER BY seen_at, topic, "partition", "offset"
