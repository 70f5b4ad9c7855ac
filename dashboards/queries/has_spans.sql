-- Whether anything has been streamed. One row.
SELECT EXISTS (SELECT 1 FROM spans) AS has_spans
