-- How many of the calls of each model had a price in the seven days before the latest call; 20 calls at least.
-- grain: model
-- parameters: $least (share of calls that should have one)
-- A call that failed without a token needs none.
SELECT
    coalesce(response_model, request_model, 'a model without a name') AS model,
    count(*) AS calls,
    count(cost_usd) / count(*) AS coverage_ratio,
    count(cost_usd) / count(*) < $least AS is_under,
    min(started_at) AS first_at,
    max(started_at) AS last_at
FROM model_calls
WHERE
    started_at >= (SELECT max(started_at) FROM model_calls) - INTERVAL 7 DAY
    AND NOT (cost_usd IS NULL AND status = 'error' AND coalesce(input_tokens, 0) = 0 AND coalesce(output_tokens, 0) = 0)
GROUP BY ALL
HAVING count(*) >= 20
ORDER BY model
