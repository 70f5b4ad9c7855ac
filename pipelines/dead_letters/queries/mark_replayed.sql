-- Note on the letters of the frame `replayed_letters` (dead_letter_id, spans, at) that they were read after all.

UPDATE dead_letters SET replayed_at = r.at, replayed_spans = r.spans
FROM replayed_letters AS r
WHERE dead_letters.dead_letter_id = r.dead_letter_id
