-- view: stg_undone_elsewhere
-- Tool calls that a call of another run undid (plumbline.compensates): where the undoing call's own run has none of that id, those of
-- other runs. Ids are the packages' own and may come again in another run.
-- grain: run_id, tool_call_id
-- columns:
--   run_id: Run of the call that was undone.
--   tool_call_id: Its id.

-- Mostly none: then no call needs to be looked at.
SELECT DISTINCT t.run_id, t.tool_call_id
FROM tool_calls AS t
JOIN (SELECT DISTINCT compensates AS tool_call_id FROM tool_calls WHERE undoes_elsewhere) AS u USING (tool_call_id)
