-- The first half of moving on in some partitions: their rows go. One statement for all of them, as each costs a scan.
DELETE FROM consumed_offsets WHERE (topic, "partition") IN (SELECT unnest($topics), unnest($partitions))
