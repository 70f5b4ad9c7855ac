-- How a workflow, a team or the fleet was kept in hand, day by day.
-- grain: span, date
-- $1, $2 previous start and end; $3, $4 current start and end: whole days of them; $5 workflow or null, else $6 team or null, else the fleet
SELECT
    CASE WHEN date >= $3::DATE THEN 'current' ELSE 'previous' END AS span,
    date,
    runs,
    actions,
    breaches,
    override_ratio,
    audit_completeness_ratio,
    incidents_opened,
    containment_ratio,
    minutes_to_diagnose,
    rollbacks,
    reversibility_ratio,
    minutes_to_rollback,
    hours_to_update,
    is_within_budget
FROM scorecard_daily
WHERE ((date >= $3::DATE AND date < $4) OR (date >= $1::DATE AND date < $2 AND date < $3::DATE))
    AND (($5::VARCHAR IS NOT NULL AND workflow = $5::VARCHAR)
        OR ($5::VARCHAR IS NULL AND $6::VARCHAR IS NOT NULL AND workflow = '(team)' AND team = $6::VARCHAR)
        OR ($5::VARCHAR IS NULL AND $6::VARCHAR IS NULL AND workflow = '(fleet)'))
ORDER BY date
