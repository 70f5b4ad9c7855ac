-- mart: versions_daily
-- group: scorecard
-- Which releases, models and policy versions were in use on a day, in each workflow. Shadow runs are left out.
-- grain: date, workflow, what, version
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   what: 'release' (agent version where none was sent), 'model' (that of most of a run's model calls) or 'policy'.
--   version: The release, model or policy version.
--   runs: Runs on it.
--   first_at: Start of the first of them.
--   last_at: Start of the last of them.
--   settled_runs: Those that are not pending.
--   successes: Settled ones with outcome 'success'.

SELECT
    started_at::DATE AS date,
    workflow,
    part.what,
    part.version,
    count(*) AS runs,
    min(started_at) AS first_at,
    max(started_at) AS last_at,
    count(*) FILTER (NOT is_pending) AS settled_runs,
    count(*) FILTER (NOT is_pending AND outcome = 'success') AS successes
FROM (
    SELECT workflow, started_at, is_pending, outcome, unnest([
        {'what': 'release', 'version': coalesce(release, agent_version)},
        {'what': 'model', 'version': model},
        {'what': 'policy', 'version': policy_version}
    ]) AS part
    FROM runs
    WHERE mode IS DISTINCT FROM 'shadow' AND started_at IS NOT NULL
)
WHERE part.version IS NOT NULL
GROUP BY ALL
ORDER BY ALL
