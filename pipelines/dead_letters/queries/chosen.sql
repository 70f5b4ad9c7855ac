-- The ids of dead letters that were not replayed. Parameter 1: their reason; null for any.

SELECT dead_letter_id FROM dead_letters WHERE replayed_at IS NULL AND reason = coalesce(?, reason)
