-- First and last run start, runs, and what the filters can offer.
-- One row; times in UTC.
SELECT
    min(started_at) AS earliest_at,
    max(started_at) AS latest_at,
    count(*) AS runs,
    list_sort(list(DISTINCT workflow)) AS workflows,
    list_sort(list(DISTINCT environment) FILTER (environment IS NOT NULL)) AS environments,
    list_sort(list(DISTINCT team) FILTER (team IS NOT NULL)) AS teams,
    list_sort(list(DISTINCT release) FILTER (release IS NOT NULL)) AS releases
FROM runs
