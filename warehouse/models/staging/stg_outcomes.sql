-- view: stg_outcomes
-- Outcomes, each resolved to its run: by run id, else by trace, else to the last run of the session that had started by then.
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

WITH session_runs AS (
    SELECT session_id, run_id, min(started_at) AS started_at
    FROM spans
    WHERE session_id IN (SELECT session_id FROM outcomes WHERE run_id IS NULL AND trace_id IS NULL)
    GROUP BY session_id, run_id
),
trace_runs AS (
    SELECT DISTINCT trace_id, run_id
    FROM spans
    WHERE trace_id IN (SELECT trace_id FROM outcomes WHERE run_id IS NULL)
),
resolved AS (
    SELECT outcome_id, run_id, status, name, value_usd, score, "at", source
    FROM outcomes
    WHERE run_id IS NOT NULL
    UNION ALL
    SELECT o.outcome_id, t.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source
    FROM outcomes AS o
    JOIN trace_runs AS t USING (trace_id)
    WHERE o.run_id IS NULL
    UNION ALL
    SELECT o.outcome_id, s.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source
    FROM outcomes AS o
    JOIN session_runs AS s ON s.session_id = o.session_id AND (s.started_at <= o."at" OR o."at" IS NULL)
    WHERE o.run_id IS NULL AND o.trace_id IS NULL
    QUALIFY row_number() OVER (PARTITION BY o.outcome_id ORDER BY s.started_at DESC, s.run_id) = 1
)
SELECT * FROM resolved
