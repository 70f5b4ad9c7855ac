-- Days before the streamed one, each with its rows so many times over under other ids: for the warehouse benchmark. What is copied has
-- been read into memory before (base_*), in order of its start, so that each file is as compaction leaves it.
-- parameters: $first, $last: how many days before, both included; $times: copies to the day
INSERT INTO lake.main.spans BY NAME
SELECT b.* REPLACE (
    printf('%06x', k.number) || substr(trace_id, 7) AS trace_id,
    printf('%06x', k.number) || substr(span_id, 7) AS span_id,
    printf('%06x', k.number) || substr(parent_span_id, 7) AS parent_span_id,
    printf('%06x', k.number) || substr(run_id, 7) AS run_id,
    started_at - to_days(k.days) AS started_at,
    ended_at - to_days(k.days) AS ended_at
)
FROM memory.main.base_spans AS b, (
    SELECT d::INTEGER AS days, d * $times + n AS number FROM range($first, $last + 1) AS r(d), range($times) AS s(n)
) AS k;

INSERT INTO lake.main.runs BY NAME
SELECT b.* REPLACE (
    printf('%06x', k.number) || substr(run_id, 7) AS run_id,
    started_at - to_days(k.days) AS started_at,
    ended_at - to_days(k.days) AS ended_at
)
FROM memory.main.base_runs AS b, (
    SELECT d::INTEGER AS days, d * $times + n AS number FROM range($first, $last + 1) AS r(d), range($times) AS s(n)
) AS k;

INSERT INTO lake.main.model_calls BY NAME
SELECT b.* REPLACE (
    printf('%06x', k.number) || substr(trace_id, 7) AS trace_id,
    printf('%06x', k.number) || substr(span_id, 7) AS span_id,
    printf('%06x', k.number) || substr(run_id, 7) AS run_id,
    started_at - to_days(k.days) AS started_at
)
FROM memory.main.base_model_calls AS b, (
    SELECT d::INTEGER AS days, d * $times + n AS number FROM range($first, $last + 1) AS r(d), range($times) AS s(n)
) AS k;

INSERT INTO lake.main.tool_calls BY NAME
SELECT b.* REPLACE (
    printf('%06x', k.number) || substr(trace_id, 7) AS trace_id,
    printf('%06x', k.number) || substr(span_id, 7) AS span_id,
    printf('%06x', k.number) || substr(run_id, 7) AS run_id,
    started_at - to_days(k.days) AS started_at
)
FROM memory.main.base_tool_calls AS b, (
    SELECT d::INTEGER AS days, d * $times + n AS number FROM range($first, $last + 1) AS r(d), range($times) AS s(n)
) AS k
