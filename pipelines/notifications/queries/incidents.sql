-- Incidents that may be told of: those not over, those whose row changed lately, and those asked for by id.
-- grain: incident_id
-- parameters: $since (row written since then), $names (ids whatever their state)
-- An incident that took others in counts their signals, and is as grave as the gravest of them.
WITH wanted AS (
    SELECT *
    FROM incidents
    WHERE state IN ('open', 'acknowledged', 'silenced') OR updated_at >= $since OR list_contains($names, incident_id)
),
taken AS (
    SELECT merged_into AS incident_id, sum(signals) AS signals, count(*) AS incidents, bool_or(severity = 'critical') AS is_critical,
        list(DISTINCT workflow ORDER BY workflow) AS workflows
    FROM incidents
    WHERE merged_into IS NOT NULL
    GROUP BY ALL
),
last_change AS (
    SELECT incident_id, arg_max({'kind': kind, 'at': noted_at, 'said_by': said_by, 'why': why}, (noted_at, change_id)) AS said
    FROM incident_changes
    WHERE kind <> 'signal_joined' AND incident_id IN (SELECT incident_id FROM wanted)
    GROUP BY ALL
),
signal AS (
    SELECT
        incident_id,
        min(created_at) AS first_at,
        max(created_at) AS last_at,
        CASE
            WHEN count(DISTINCT dimension) FILTER (metric LIKE '%\_by\_environment' ESCAPE '\') = 1
                AND count(*) = count(*) FILTER (metric LIKE '%\_by\_environment' ESCAPE '\')
                THEN any_value(dimension)
        END AS environment,
        arg_max(cause, coalesce(log_e, 0)) AS cause,
        arg_max(containment, coalesce(log_e, 0)) AS containment
    FROM signals
    WHERE incident_id IN (SELECT incident_id FROM wanted)
    GROUP BY ALL
)
SELECT
    w.*,
    w.signals + coalesce(t.signals, 0)::BIGINT AS extent,
    coalesce(t.is_critical, false) AS took_critical,
    t.workflows AS taken_workflows,
    c.said.kind AS change_kind,
    c.said.said_by AS said_by,
    c.said.why AS why,
    coalesce(c.said.at, s.first_at, w.updated_at, w.opened_at) AS changed_at,
    s.environment,
    s.cause,
    s.containment,
    k.team
FROM wanted AS w
LEFT JOIN taken AS t USING (incident_id)
LEFT JOIN last_change AS c USING (incident_id)
LEFT JOIN signal AS s USING (incident_id)
LEFT JOIN catalog_workflows AS k ON k.workflow = w.workflow
ORDER BY w.opened_at, w.incident_id
