-- How many of the alarms were real, by family, and the false ones beside the budget.
-- grain: family
SELECT *
FROM alarm_precision
ORDER BY family = '(all)' DESC, family
