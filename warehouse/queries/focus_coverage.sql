-- How many model calls of one month a FOCUS export holds, and what they cost.
-- grain: one row
-- parameters: $first, $next: first day of the month and of the next one
-- columns: calls; priced: those whose cost is known; cost_usd: their sum, null when none is.

SELECT
    count(*) AS calls,
    count(c.cost_usd) AS priced,
    sum(c.cost_usd) AS cost_usd
FROM model_calls AS c
WHERE c.started_at >= $first AND c.started_at < $next
