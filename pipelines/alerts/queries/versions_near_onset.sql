-- What changed near an onset: each version attribute's values, with their share of runs before and after.
-- Of runs that ended by the alarm: see runs_since_onset.sql.
-- grain: attribute, value
-- parameters: $workflow, $onset, $until (UTC)
WITH roots AS (
    SELECT
        CASE WHEN started_at < $onset THEN 'before' ELSE 'after' END AS period,
        release, agent_version, prompt_version, policy_version, request_model
    FROM spans
    WHERE workflow = $workflow
      AND parent_span_id IS NULL
      AND started_at BETWEEN $onset - INTERVAL 2 DAY AND $until
      AND ended_at <= $until
),
values_long AS (
    UNPIVOT roots ON release, agent_version, prompt_version, policy_version, request_model
    INTO NAME attribute VALUE value
)
SELECT
    attribute,
    value,
    count(*) FILTER (period = 'before') / nullif((SELECT count(*) FROM roots WHERE period = 'before'), 0) AS share_before,
    count(*) FILTER (period = 'after') / nullif((SELECT count(*) FROM roots WHERE period = 'after'), 0) AS share_after
FROM values_long
GROUP BY attribute, value
ORDER BY attribute, value
