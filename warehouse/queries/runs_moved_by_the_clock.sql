-- Runs whose row changes as time passes: their outcome's window has closed, or the time in which their root span could come; and
-- the other way round, where the clock went back. The rules are those of the mart runs.
INSERT INTO temp.main.affected_runs (run_id)
SELECT r.run_id
FROM lake.main.runs AS r
CROSS JOIN lake.main.event_clock AS k
LEFT JOIN lake.main.catalog_workflows AS c ON c.workflow = r.workflow
WHERE
    r.is_pending IS DISTINCT FROM (
        r.outcome IS NULL AND coalesce(
            k.latest_at < r.started_at + to_microseconds((coalesce(c.outcome_window_hours, 24) * 3.6e9)::BIGINT), false
        )
    )
    OR (r.closed_by IS DISTINCT FROM 'root' AND (r.closed_by IS NULL) IS DISTINCT FROM NOT coalesce(
        r.ended_at + to_microseconds(
            (coalesce((SELECT max(run_timeout_seconds) FROM lake.main.stream_settings), 3600) * 1e6)::BIGINT
        ) <= k.latest_at, false
    ))
