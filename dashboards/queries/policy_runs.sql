-- The newest runs that did what they should not, breaches first; of each kind at most as many as a page shows.
-- grain: run_id, kind, name, detail
-- $1, $2 first moment and end; $3 workflow, $4 environment, $5 team, $6 release, or null; $7 rows of each kind.
SELECT run_id, workflow, kind, name, detail, is_breach, events, first_at
FROM policy_findings
WHERE started_at >= $1 AND started_at < $2
    AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
    AND ($4::VARCHAR IS NULL OR environment = $4::VARCHAR)
    AND ($5::VARCHAR IS NULL OR team = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR release = $6::VARCHAR)
QUALIFY row_number() OVER (PARTITION BY kind ORDER BY first_at DESC, run_id) <= $7
ORDER BY is_breach DESC, first_at DESC, run_id, kind, name
