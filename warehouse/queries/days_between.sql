-- All days of a span, both ends among them.
-- parameters: $first, $last: days
INSERT INTO temp.main.affected_days
SELECT unnest(generate_series($first::DATE, $last::DATE, INTERVAL 1 DAY))::DATE
