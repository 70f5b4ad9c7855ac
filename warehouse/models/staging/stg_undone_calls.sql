-- view: stg_undone_calls
-- Tool calls that another call undid (plumbline.compensates): the one of that id in its own run, else, where its run has none of that id,
-- those of other runs. Ids are the packages' own and may come again in another run.
-- grain: run_id, tool_call_id
-- columns:
--   run_id: Run of the call that was undone.
--   tool_call_id: Its id.
--   is_own: Whether a call of the same run undid it.

WITH undoing AS (
    SELECT DISTINCT run_id, compensates AS tool_call_id FROM tool_calls WHERE compensates IS NOT NULL
),
own AS (
    SELECT DISTINCT t.run_id, t.tool_call_id FROM undoing AS u JOIN tool_calls AS t USING (run_id, tool_call_id)
),
-- Apart, because these are few: an id alone may be that of calls of very many runs.
of_others AS (
    SELECT * FROM undoing ANTI JOIN own USING (run_id, tool_call_id)
)
SELECT run_id, tool_call_id, bool_or(is_own) AS is_own
FROM (
    SELECT run_id, tool_call_id, true AS is_own FROM own
    UNION ALL
    SELECT t.run_id, t.tool_call_id, false FROM of_others AS u JOIN tool_calls AS t USING (tool_call_id)
)
GROUP BY ALL
