-- What cost_by_day says of each day and workflow, less what its runs add up to.
-- grain: day and workflow, in place
-- parameters: ? twice: the first day that retention left whole; null when all is
-- Each way of parting the runs must have all of them: the worst one is told.
WITH run AS (
    SELECT
        started_at::DATE AS date,
        workflow,
        count(*) AS runs,
        count(*) FILTER (NOT is_pending AND outcome IS NOT DISTINCT FROM 'success') AS successes,
        count(cost_usd) FILTER (NOT is_pending) AS priced_runs,
        coalesce(sum(cost_usd) FILTER (NOT is_pending), 0) AS cost_usd
    FROM runs
    WHERE started_at >= coalesce(?::DATE, DATE '0001-01-01')
    GROUP BY ALL
),
part AS (
    SELECT
        date,
        workflow,
        "by",
        sum(runs) AS runs,
        sum(successes) AS successes,
        sum(priced_runs) AS priced_runs,
        coalesce(sum(cost_usd), 0) AS cost_usd
    FROM cost_by_day
    WHERE date >= coalesce(?::DATE, DATE '0001-01-01')
    GROUP BY ALL
)
SELECT
    concat_ws(' ', coalesce(run.date, part.date), coalesce(run.workflow, part.workflow)) AS place,
    max(abs(coalesce(part.runs, 0) - coalesce(run.runs, 0)))::BIGINT AS runs,
    max(abs(coalesce(part.successes, 0) - coalesce(run.successes, 0)))::BIGINT AS successes,
    max(abs(coalesce(part.priced_runs, 0) - coalesce(run.priced_runs, 0)))::BIGINT AS priced_runs,
    max(abs(coalesce(part.cost_usd, 0) - coalesce(run.cost_usd, 0)))::DOUBLE AS cost_usd
FROM run
FULL JOIN part ON run.date = part.date AND run.workflow IS NOT DISTINCT FROM part.workflow
GROUP BY ALL
ORDER BY place
