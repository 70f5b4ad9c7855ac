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

-- Most statements name their run and nothing else that could find one: these need not be resolved.
WITH named AS (
    SELECT
        o.outcome_id,
        r.run_id IS NOT NULL AS is_found,
        c.outcome_name IS NULL OR o.name IS NULL OR o.name = c.outcome_name AS counts
    FROM outcomes AS o
    LEFT JOIN runs AS r USING (run_id)
    LEFT JOIN catalog_workflows AS c ON c.workflow = r.workflow
    WHERE o.run_id IS NOT NULL AND o.evaluated_span_id IS NULL AND o.response_id IS NULL
),
other AS (
    SELECT outcome_id
    FROM outcomes
    WHERE run_id IS NULL OR evaluated_span_id IS NOT NULL OR response_id IS NOT NULL
),
found AS (
    SELECT
        s.outcome_id,
        bool_or(c.outcome_name IS NULL OR s.name IS NULL OR s.name = c.outcome_name) AS counts
    FROM stg_outcomes AS s
    JOIN runs AS r USING (run_id)
    LEFT JOIN catalog_workflows AS c ON c.workflow = r.workflow
    WHERE s.outcome_id IN (SELECT outcome_id FROM other)
    GROUP BY s.outcome_id
),
unmatched AS (
    SELECT outcome_id, is_found FROM named WHERE NOT is_found OR NOT counts
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
JOIN unmatched AS u USING (outcome_id)
WHERE CASE WHEN u.is_found THEN o.source <> 'evaluation' ELSE o.evaluated_span_id IS NULL END
ORDER BY o."at", o.outcome_id
