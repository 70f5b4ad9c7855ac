-- The lines of bills that `reconciliation` leaves out: they name no model, or are not in US dollars.
-- grain: currency
-- parameters: $first, $next: first day of the month and of the next one
-- columns: currency; lines; cost in it; models: lines that name one.

SELECT currency, count(*) AS lines, sum(billed_cost) AS cost, count(model) AS models
FROM bill_lines
WHERE (model IS NULL OR currency != 'USD') AND day >= $first AND day < $next
GROUP BY currency
ORDER BY currency
