-- The same for the same runs, those that the feeds of some tables told of.
-- parameters: names of the tables
SELECT count(*), bit_xor(hash(run_id)), sum(hash(run_id))
FROM (SELECT DISTINCT run_id FROM memory.main.changed_runs WHERE list_contains($1::VARCHAR[], table_name))
