-- view: stg_outcomes
-- Outcomes, each resolved to its run: by run id, else by trace, else to the last run of the session that had started by
-- then.
-- An outcome whose run never came is left out here and stays in outcomes.
-- grain: outcome_id, run_id
-- columns:
--   outcome_id: Id of the outcome.
--   run_id: The run it speaks of.
--   status: 'success', 'failure', 'escalated' or 'abandoned'.
--   name: Name of the outcome or evaluation.
--   value_usd: What it is worth, in US dollars.
--   score: Score behind the status.
--   at: When it was known.
--   source: 'span', 'evaluation' or 'topic'.

WITH unresolved AS (
    SELECT * FROM outcomes WHERE run_id IS NULL
),
candidates AS (
    SELECT run_id, trace_id, session_id, min(started_at) AS started_at
    FROM spans
    WHERE trace_id IN (SELECT trace_id FROM unresolved)
        OR session_id IN (SELECT session_id FROM unresolved WHERE trace_id IS NULL)
    GROUP BY run_id, trace_id, session_id
),
resolved AS (
    SELECT DISTINCT o.outcome_id, c.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source
    FROM unresolved AS o
    JOIN candidates AS c USING (trace_id)
    UNION ALL
    SELECT o.outcome_id, c.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source
    FROM unresolved AS o
    JOIN candidates AS c ON c.session_id = o.session_id AND (c.started_at <= o."at" OR o."at" IS NULL)
    WHERE o.trace_id IS NULL
    QUALIFY row_number() OVER (PARTITION BY o.outcome_id ORDER BY c.started_at DESC, c.run_id) = 1
)
SELECT outcome_id, run_id, status, name, value_usd, score, "at", source
FROM outcomes
WHERE run_id IS NOT NULL
UNION ALL
SELECT * FROM resolved
