-- The second half, in the same transaction: where the rows end now.
INSERT INTO consumed_offsets SELECT unnest($topics), unnest($partitions), unnest($offsets), $committed_at
