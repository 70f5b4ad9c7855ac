-- The lines of bills that `reconciliation` leaves out: they name no model, or their currency has no rate on their day in the catalog.
-- grain: currency
-- parameters: $first, $next: first day of the month and of the next one
-- columns: currency; lines; cost in it; models: lines that name one.

SELECT b.currency, count(*) AS lines, sum(b.billed_cost) AS cost, count(b.model) AS models
FROM bill_lines AS b
ASOF LEFT JOIN catalog_currencies AS c ON b.currency = c.currency AND b.day >= c.effective_at
WHERE (b.model IS NULL OR (b.currency != 'USD' AND c.usd_per_unit IS NULL)) AND b.day >= $first AND b.day < $next
GROUP BY b.currency
ORDER BY b.currency
