-- What the demo stored.
SELECT (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM runs) AS runs
