-- Of each day that was computed again, how many rows the computed mart has; days before $since were kept as they were.
-- parameters: $since: first day that can be computed, or null
SELECT d.date, count(c.date)
FROM (SELECT DISTINCT date FROM temp.main.affected_days) AS d
LEFT JOIN temp.main.computed_mart AS c USING (date)
WHERE $since::DATE IS NULL OR d.date >= $since::DATE
GROUP BY d.date
ORDER BY d.date
