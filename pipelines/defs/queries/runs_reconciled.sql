-- Spans against runs, in one row; every figure is 0 when nothing was lost or invented.
-- The stream goes on while a mart is computed. So what was there when that began must be in runs, and what is in runs must
-- be there now: {snapshot} is the lake's snapshot at the beginning, as the mart's comment states it.
WITH before AS (
    SELECT DISTINCT run_id FROM spans AT (VERSION => {snapshot})
),
calls AS (
    SELECT
        (SELECT count(*) FROM spans AT (VERSION => {snapshot}) WHERE kind = 'model') AS before,
        (SELECT count(*) FROM spans WHERE kind = 'model') AS now,
        (SELECT coalesce(sum(model_calls), 0) FROM runs) AS counted
)
SELECT
    (SELECT count(*) FROM before ANTI JOIN runs USING (run_id)) AS runs_lost,
    (SELECT count(*) FROM runs ANTI JOIN spans USING (run_id)) AS runs_invented,
    greatest(calls.before - calls.counted, 0)::BIGINT AS model_calls_lost,
    greatest(calls.counted - calls.now, 0)::BIGINT AS model_calls_invented
FROM calls
