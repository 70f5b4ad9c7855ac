-- What happened in one run, in order of time: model calls, tools, sources, decisions, approvals, overrides, rollbacks, outcomes.
-- grain: one row per event
-- $run: its id. what and result are names and words of the trace; seconds is how long it took, null where that is not known.
WITH tool AS (
    SELECT * FROM tool_calls WHERE run_id = $run::VARCHAR
),
event AS (
    SELECT
        started_at AS "at",
        'model call' AS kind,
        coalesce(response_model, request_model) AS what,
        CASE
            WHEN status = 'error' THEN 'error: ' || coalesce(error_type, 'unknown')
            ELSE concat_ws(', ', input_tokens || ' tokens in', output_tokens || ' out', finish_reason)
        END AS result,
        duration_ms / 1000 AS seconds,
        cost_usd,
        NULL AS note
    FROM model_calls
    WHERE run_id = $run::VARCHAR
    UNION ALL
    SELECT
        started_at,
        CASE effect WHEN 'write' THEN 'change' WHEN 'irreversible' THEN 'irreversible change' ELSE 'tool call' END,
        tool_name,
        CASE
            WHEN observed_in <> 'tool span' THEN 'asked for; its result was not sent'
            WHEN status = 'error' THEN 'error: ' || coalesce(error_type, 'unknown')
            ELSE 'done'
        END,
        duration_ms / 1000,
        cost_usd,
        CASE
            WHEN compensates IS NOT NULL THEN 'undoes call ' || compensates
            WHEN undone_by IS NOT NULL THEN 'undone by ' || undone_by
            WHEN effect = 'write' AND compensation IS NOT NULL THEN 'can be undone by ' || compensation
            WHEN effect = 'write' THEN 'no compensation is declared'
        END
    FROM tool
    LEFT JOIN (
        SELECT compensates AS undone_id, min(tool_name) AS undone_by FROM tool WHERE compensates IS NOT NULL GROUP BY ALL
    ) AS u ON u.undone_id = tool.tool_call_id
    UNION ALL
    SELECT started_at, 'source', unnest(source_ids), 'read', NULL, NULL, name
    FROM spans
    WHERE run_id = $run::VARCHAR AND source_ids IS NOT NULL
    UNION ALL
    SELECT
        "at",
        'policy decision',
        concat_ws(' ', policy, policy_version, rule),
        action,
        NULL,
        NULL,
        CASE WHEN enforced THEN 'carried out' WHEN NOT enforced THEN 'not carried out' END
    FROM policy_decisions
    WHERE run_id = $run::VARCHAR
    UNION ALL
    SELECT "at", 'approval', coalesce(tool_name, 'an action'), status, NULL, NULL, 'by ' || decided_by
    FROM approvals
    WHERE run_id = $run::VARCHAR
    UNION ALL
    SELECT "at", 'override', 'a decision of the agent', 'changed by a person', NULL, NULL, 'by ' || decided_by
    FROM overrides
    WHERE run_id = $run::VARCHAR
    UNION ALL
    SELECT
        "at", 'rollback', concat_ws(' ', CASE WHEN drill THEN 'drill:' END, kind), coalesce(status, 'begun'), NULL, NULL, trigger_reason
    FROM rollbacks
    WHERE run_id = $run::VARCHAR
)
SELECT * FROM event ORDER BY "at" NULLS LAST, kind, what
