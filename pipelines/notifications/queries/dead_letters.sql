-- Topics and files with messages that could not be read in the last seven days, and whether any came in the last hour.
-- grain: topic
-- parameters: $now
SELECT
    topic,
    count(*) AS letters,
    count(*) FILTER (seen_at > $now::TIMESTAMP - INTERVAL 1 HOUR) AS letters_last_hour,
    mode(reason) AS most_reason,
    min(seen_at) AS first_at,
    max(seen_at) AS last_at
FROM dead_letters
WHERE seen_at > $now::TIMESTAMP - INTERVAL 7 DAY
GROUP BY topic
ORDER BY topic
