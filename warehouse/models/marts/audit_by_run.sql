-- mart: audit_by_run
-- group: scorecard
-- Audit completeness: can the decision path of each run be rebuilt from its trace? One clause each; null where a run needs none.
-- grain: run_id
-- period: started_at
-- incremental: run_id
-- keys: run_id → runs
-- A run is complete when no clause is false. `plumbline audit RUN_ID` says by the same clauses what is missing, and what to send.
-- columns:
--   run_id: The run.
--   workflow: Its workflow.
--   started_at: Start of the run.
--   is_settled: Whether its outcome is known, or its window has closed: only then is completeness judged.
--   requester: Who asked, as sent: user.id or enduser.id of its root span (Langfuse's and OpenLLMetry's names as well); null
--     when not sent.
--   has_identity: Its agent is named, and who asked or the session is known.
--   has_versions: Its release or agent version is known, and, where it called a model, the prompt version and every call's model.
--   has_tool_results: Every tool call has a span of its own, so that how it ended is known; null without tool calls.
--   has_decisions: It holds at least as many policy decisions as calls that write or can't be undone; null without such calls,
--     false when a call's effect is not known.
--   has_approvals: Every irreversible call has an approval that was granted, denied or bypassed, of its tool or of no named one;
--     null without such calls.
--   has_outcome: Its outcome is known; null while it is pending.
--   is_complete: No clause is false.
--   missing: The clauses that are false, by name: 'identity', 'versions', 'tool results', 'policy decisions', 'approvals',
--     'outcome'.

WITH asked AS (
    SELECT
        run_id,
        min(
            coalesce(
                json_extract_string(attributes, '$."user.id"'),
                json_extract_string(attributes, '$."enduser.id"'),
                json_extract_string(attributes, '$."langfuse.user.id"'),
                json_extract_string(attributes, '$."traceloop.association.properties.user_id"')
            )
        ) AS requester
    FROM spans
    WHERE parent_span_id IS NULL AND attributes LIKE '%user%id%'
    GROUP BY run_id
),
model AS (
    SELECT run_id, bool_and(coalesce(response_model, request_model) IS NOT NULL) AS is_named
    FROM model_calls
    GROUP BY run_id
),
granted AS (
    SELECT DISTINCT run_id, tool_name FROM approvals WHERE status IN ('granted', 'denied', 'bypassed')
),
tool AS (
    SELECT
        t.run_id,
        bool_and(t.observed_in = 'tool span') AS have_spans,
        count(*) FILTER (t.effect IN ('write', 'irreversible')) AS risky,
        count(*) FILTER (t.effect IS NULL) AS of_unknown_effect,
        bool_and(
            EXISTS (
                SELECT 1
                FROM granted AS g
                WHERE g.run_id = t.run_id AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
            )
        ) FILTER (t.effect = 'irreversible') AS are_approved
    FROM tool_calls AS t
    GROUP BY t.run_id
),
clause AS (
    SELECT
        r.run_id,
        r.workflow,
        r.started_at,
        NOT r.is_pending AS is_settled,
        a.requester,
        r.agent IS NOT NULL AND (a.requester IS NOT NULL OR r.session_id IS NOT NULL) AS has_identity,
        (r.release IS NOT NULL OR r.agent_version IS NOT NULL)
            AND (r.model_calls = 0 OR (r.prompt_version IS NOT NULL AND coalesce(m.is_named, false))) AS has_versions,
        t.have_spans AS has_tool_results,
        CASE
            WHEN t.of_unknown_effect > 0 THEN false
            WHEN t.risky > 0 THEN r.policy_decisions >= t.risky
        END AS has_decisions,
        t.are_approved AS has_approvals,
        CASE WHEN NOT r.is_pending THEN r.outcome IS NOT NULL END AS has_outcome
    FROM runs AS r
    LEFT JOIN asked AS a USING (run_id)
    LEFT JOIN model AS m USING (run_id)
    LEFT JOIN tool AS t USING (run_id)
)
SELECT
    *,
    coalesce(has_identity, true) AND coalesce(has_versions, true) AND coalesce(has_tool_results, true)
        AND coalesce(has_decisions, true) AND coalesce(has_approvals, true) AND coalesce(has_outcome, true) AS is_complete,
    list_filter(
        [
            CASE WHEN NOT has_identity THEN 'identity' END,
            CASE WHEN NOT has_versions THEN 'versions' END,
            CASE WHEN NOT has_tool_results THEN 'tool results' END,
            CASE WHEN NOT has_decisions THEN 'policy decisions' END,
            CASE WHEN NOT has_approvals THEN 'approvals' END,
            CASE WHEN NOT has_outcome THEN 'outcome' END
        ],
        lambda name: name IS NOT NULL
    ) AS missing
FROM clause
