-- view: stg_undone_calls
-- Tool calls that another call undid (plumbline.compensates): the one of that id in its own run, else, where its run has none of that id,
-- those of other runs. Ids are the packages' own and may come again in another run.
-- grain: run_id, tool_call_id
-- columns:
--   run_id: Run of the call that was undone.
--   tool_call_id: Its id.
--   is_own: Whether a call of the same run undid it.

SELECT t.run_id, t.tool_call_id, bool_or(t.run_id = u.run_id) AS is_own
FROM tool_calls AS u
JOIN tool_calls AS t ON t.tool_call_id = u.compensates
WHERE u.compensates IS NOT NULL AND (
    t.run_id = u.run_id OR NOT EXISTS (
        SELECT 1 FROM tool_calls AS o WHERE o.run_id = u.run_id AND o.tool_call_id = u.compensates
    )
)
GROUP BY ALL
