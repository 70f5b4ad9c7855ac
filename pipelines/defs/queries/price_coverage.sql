-- How many of the calls of each model have a price, of those that need one, in the 30 days before the latest call.
-- grain: model
-- A call that failed without a token needs none.
SELECT
    coalesce(response_model, request_model, 'a model without a name') AS model,
    count(*) AS calls,
    count(cost_usd) / count(*) AS coverage_ratio
FROM model_calls
WHERE
    started_at >= (SELECT max(started_at) FROM model_calls) - INTERVAL 30 DAY
    AND NOT (cost_usd IS NULL AND status = 'error' AND coalesce(input_tokens, 0) = 0 AND coalesce(output_tokens, 0) = 0)
GROUP BY ALL
ORDER BY calls DESC, model
