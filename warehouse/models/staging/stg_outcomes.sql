-- view: stg_outcomes
-- Outcomes, each resolved to the runs that it speaks of: by run id, else by trace, else to every run of the session that had
-- started by then.
-- An evaluation in a span of its own speaks of the run whose root span is its parent, or, by the id of a model response, of
-- the run whose last model call gave that response; those of other spans and responses are no outcomes.
-- A session's value counts once, on the last of its runs.
-- An outcome whose run never came is left out here; unmatched_outcomes lists it.
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
--   is_of_session: Whether it was stated of the session: a statement about the run itself comes before it.

WITH unresolved AS (
    SELECT *
    FROM outcomes
    WHERE run_id IS NULL AND evaluated_span_id IS NULL AND response_id IS NULL
),
-- Apart, because a list of none is looked up in no span then.
candidates AS (
    SELECT run_id, trace_id, session_id, min(started_at) AS started_at
    FROM spans
    WHERE trace_id IN (SELECT trace_id FROM unresolved)
    GROUP BY run_id, trace_id, session_id
),
session_candidates AS (
    SELECT run_id, session_id, min(started_at) AS started_at
    FROM spans
    WHERE session_id IN (SELECT session_id FROM unresolved WHERE trace_id IS NULL)
    GROUP BY run_id, session_id
),
of_span AS (
    SELECT o.*, s.run_id AS found_run_id
    FROM outcomes AS o
    JOIN spans AS s ON s.trace_id = o.trace_id AND s.span_id = o.evaluated_span_id
    WHERE s.parent_span_id IS NULL
        AND s.trace_id IN (SELECT trace_id FROM outcomes WHERE evaluated_span_id IS NOT NULL)
),
asked AS (
    SELECT * FROM outcomes WHERE response_id IS NOT NULL AND evaluated_span_id IS NULL
),
answers AS (
    SELECT a.outcome_id, s.run_id, s.started_at, s.span_id
    FROM asked AS a
    JOIN spans AS s
        ON json_extract_string(s.attributes, '$."gen_ai.response.id"') = a.response_id AND s.kind = 'model'
),
last_calls AS (
    SELECT run_id, arg_max(span_id, {'at': started_at, 'id': span_id}) AS span_id
    FROM spans
    WHERE kind = 'model' AND run_id IN (SELECT run_id FROM answers)
    GROUP BY run_id
)
SELECT outcome_id, run_id, status, name, value_usd, score, "at", source, false AS is_of_session
FROM outcomes
WHERE run_id IS NOT NULL
UNION ALL
SELECT outcome_id, found_run_id, status, name, value_usd, score, "at", source, false
FROM of_span
UNION ALL
SELECT a.outcome_id, w.run_id, a.status, a.name, a.value_usd, a.score, a."at", a.source, false
FROM asked AS a
JOIN answers AS w USING (outcome_id)
JOIN last_calls AS l ON l.run_id = w.run_id AND l.span_id = w.span_id
UNION ALL
SELECT DISTINCT o.outcome_id, c.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source, false
FROM unresolved AS o
JOIN candidates AS c USING (trace_id)
UNION ALL
SELECT
    outcome_id,
    run_id,
    status,
    name,
    CASE WHEN row_number() OVER (PARTITION BY outcome_id ORDER BY started_at DESC, run_id) = 1 THEN value_usd END,
    score,
    "at",
    source,
    true
FROM (
    SELECT o.outcome_id, c.run_id, o.status, o.name, o.value_usd, o.score, o."at", o.source, min(c.started_at) AS started_at
    FROM unresolved AS o
    JOIN session_candidates AS c ON c.session_id = o.session_id
    WHERE o.trace_id IS NULL
    GROUP BY ALL
)
WHERE started_at <= "at" OR "at" IS NULL
