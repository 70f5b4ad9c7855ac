-- How the warehouse stands: the figures of health and of the metrics.
-- grain: measure, label
SELECT 'incidents' AS measure, state AS label, count(*)::DOUBLE AS value FROM incidents GROUP BY state
UNION ALL
SELECT 'dead_letters', reason, count(*) FROM dead_letters WHERE replayed_at IS NULL GROUP BY reason
UNION ALL
SELECT 'signals', family, count(*) FROM signals GROUP BY family
UNION ALL
SELECT 'notifications_' || status, channel, count(*) FROM notifications WHERE status IN ('waiting', 'set_aside') GROUP BY ALL
UNION ALL
SELECT 'waiting_since', '', epoch(min(made_at)) FROM notifications WHERE status = 'waiting'
UNION ALL
SELECT 'committed_at', '', epoch(max(committed_at)) FROM consumed_offsets
ORDER BY ALL
