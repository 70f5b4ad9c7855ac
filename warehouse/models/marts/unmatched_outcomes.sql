-- mart: unmatched_outcomes
-- group: runs
-- Outcomes that count for no run: stated of a run, trace or session that is not here (yet), or under another name than the
-- catalog's.
-- grain: outcome_id
-- period: at
-- keys: run_id, trace_id, session_id
-- Evaluations of single calls are no outcomes and not listed, unless they name a response that no run ended with. A statement
-- leaves this list when its run comes.
-- columns:
--   outcome_id: Id of the outcome.
--   reason: 'no run' or 'other name'.
--   run_id: The run it names.
--   trace_id: The trace it names.
--   session_id: The session it names.
--   response_id: The model response it names.
--   status: 'success', 'failure', 'escalated' or 'abandoned'.
--   name: Name of the outcome.
--   value_usd: What it is worth, in US dollars.
--   at: When it was known.
--   source: 'span', 'evaluation' or 'topic'.
--   stated_by: System that stated it, as sent on the topic.

-- Most statements name their run and nothing else that could find one: these need not be resolved, and the others are few.
WITH other AS MATERIALIZED (
    SELECT outcome_id
    FROM outcomes
    WHERE run_id IS NULL OR evaluated_span_id IS NOT NULL OR response_id IS NOT NULL
),
resolved AS MATERIALIZED (  -- before runs are looked for: where there are none, these need not be read
    SELECT outcome_id, run_id, name FROM stg_outcomes WHERE outcome_id IN (SELECT outcome_id FROM other)
),
found AS (
    SELECT
        s.outcome_id,
        bool_or(c.outcome_name IS NULL OR s.name IS NULL OR s.name = c.outcome_name) AS counts
    FROM resolved AS s
    JOIN runs AS r USING (run_id)
    LEFT JOIN catalog_workflows AS c ON c.workflow = r.workflow
    GROUP BY s.outcome_id
),
unmatched AS (
    SELECT outcome_id, false AS is_found
    FROM outcomes
    ANTI JOIN runs USING (run_id)
    WHERE run_id IS NOT NULL AND evaluated_span_id IS NULL AND response_id IS NULL
    UNION ALL
    SELECT o.outcome_id, true
    FROM outcomes AS o
    JOIN runs AS r USING (run_id)
    JOIN (SELECT workflow, outcome_name FROM catalog_workflows WHERE outcome_name IS NOT NULL) AS c
        ON c.workflow = r.workflow
    WHERE o.evaluated_span_id IS NULL AND o.response_id IS NULL AND o.name <> c.outcome_name
    UNION ALL
    SELECT outcome_id, f.outcome_id IS NOT NULL
    FROM other
    LEFT JOIN found AS f USING (outcome_id)
    WHERE f.outcome_id IS NULL OR NOT f.counts
)
SELECT
    o.outcome_id,
    CASE WHEN u.is_found THEN 'other name' ELSE 'no run' END AS reason,
    o.run_id,
    o.trace_id,
    o.session_id,
    o.response_id,
    o.status,
    o.name,
    o.value_usd,
    o."at",
    o.source,
    o.stated_by
FROM outcomes AS o
-- One row each already: to group them tells the planner that these are few.
JOIN (SELECT outcome_id, bool_or(is_found) AS is_found FROM unmatched GROUP BY outcome_id) AS u USING (outcome_id)
WHERE CASE WHEN u.is_found THEN o.source <> 'evaluation' ELSE o.evaluated_span_id IS NULL END
ORDER BY o."at", o.outcome_id
