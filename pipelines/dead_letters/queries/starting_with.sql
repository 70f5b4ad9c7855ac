-- The dead letters whose id begins with parameter 1; two suffice to tell that it is not enough.

SELECT * FROM dead_letters WHERE starts_with(dead_letter_id, ?) ORDER BY dead_letter_id LIMIT 2
