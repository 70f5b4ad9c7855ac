-- The teams of a scope.
-- grain: team
-- $1 list of teams
CREATE OR REPLACE TABLE visible_teams AS
SELECT unnest($1::VARCHAR[]) AS team
