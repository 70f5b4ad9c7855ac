-- How far the stream is: spans and the newest one. One row.
SELECT count(*) AS spans, max(started_at) AS latest_at
FROM spans
