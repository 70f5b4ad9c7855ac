-- Release or agent version of a workflow's latest run that started at $at or before; no row where there is no such run.
-- From the spans: a drill may be held of what came after the last refresh.
SELECT arg_max(coalesce(release, agent_version), started_at)
FROM spans
WHERE workflow = $workflow AND started_at <= $at AND mode IS DISTINCT FROM 'shadow'
HAVING count(*) > 0
