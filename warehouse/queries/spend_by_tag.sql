-- What was spent, by one tag: all runs with a known cost, shadow and pending ones too, for they cost as well.
-- grain: workflow, tag
-- reads: tagged_runs, made of runs_by_tag
SELECT workflow, tag, count(*) AS runs, count(cost_usd) AS priced_runs, sum(cost_usd)::DOUBLE AS cost_usd
FROM tagged_runs
GROUP BY ALL
ORDER BY ALL
