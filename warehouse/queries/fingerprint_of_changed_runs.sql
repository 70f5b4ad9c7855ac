-- The same where the feeds told the same: of the same runs, those of some tables; and those of spans and runs of the same starts.
-- parameters: names of the tables
SELECT
    (SELECT {'runs': count(*), 'hash': bit_xor(hash(run_id)), 'sum': sum(hash(run_id))} FROM (
        SELECT DISTINCT run_id FROM temp.main.changed_runs WHERE list_contains($1::VARCHAR[], table_name)
    )),
    count(*),
    bit_xor(hash(table_name, run_id, started_at, is_known)),
    sum(hash(table_name, run_id, started_at, is_known))
FROM temp.main.changed_runs
WHERE table_name IN ('spans', 'runs')
