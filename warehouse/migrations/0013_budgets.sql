-- Budgets: what the catalog allows teams and cost centers, how each stands, and which rungs were passed.

-- table: catalog_budgets
-- One row per monthly budget of the catalog: those of workflows, and those below its key `budgets`.
-- grain: scope, name
CREATE TABLE catalog_budgets (
    scope VARCHAR NOT NULL,  -- 'workflow', 'team', 'cost_center' or 'fleet'.
    name VARCHAR NOT NULL,  -- Workflow, team or cost center; '(fleet)' for all.
    budget_usd_per_month DOUBLE NOT NULL  -- Budget, in US dollars per calendar month.
);

-- table: budgets_monthly
-- One row per budget and month that has runs, as of the last `plumbline refresh`, which replaces those of months that can still change.
-- Spend is that of all runs by the day of their start (UTC), pending and shadow runs included; the month under way is the one of
-- the latest run. The forecast is explained in docs/economics.md.
-- grain: scope, name, month
CREATE TABLE budgets_monthly (
    scope VARCHAR NOT NULL,  -- 'workflow', 'team', 'cost_center' or 'fleet'.
    name VARCHAR NOT NULL,  -- Workflow, team or cost center; '(fleet)' for all.
    month DATE NOT NULL,  -- First day of the month, UTC.
    budget_usd DOUBLE NOT NULL,  -- Budget of the month, in US dollars, as the catalog says it now.
    spent_usd DOUBLE,  -- Cost of the month's runs whose cost is known, in US dollars; null when none is.
    coverage_ratio DOUBLE,  -- Runs whose cost is known ÷ runs of the month.
    used_ratio DOUBLE,  -- spent_usd ÷ budget_usd; null for a budget of 0.
    passed_50_on DATE,  -- Day on which half of the budget was spent; null while it is not.
    passed_80_on DATE,  -- Day on which 80 % were.
    passed_100_on DATE,  -- Day on which all of it was.
    burn_1d DOUBLE,  -- Spend of the last complete day ÷ an even day's share of the budget: at 1 it lasts the month to the day.
    burn_7d DOUBLE,  -- The same over the last seven complete days; null with fewer.
    is_burning BOOLEAN,  -- Both burn rates are 2 or more: it is neither a spike nor an old trend.
    landing_usd DOUBLE,  -- Expected spend at the month's end, in US dollars; null with fewer than 5 complete days.
    landing_low_usd DOUBLE,  -- Lower end of its 90 % interval, in US dollars, not below what is spent.
    landing_high_usd DOUBLE,  -- Upper end of it.
    backtest_forecasts INTEGER,  -- Weeks before that were forecast in the same way; 0 with fewer than 12 days.
    backtest_error_ratio DOUBLE,  -- Mean of |forecast − spent| of them ÷ mean of spent; null without one.
    backtest_covered_ratio DOUBLE,  -- Share of them whose 90 % interval held what was spent; null without one.
    as_of DATE NOT NULL,  -- The day under way.
    computed_at TIMESTAMP NOT NULL  -- When this was computed, by the clock of that machine.
);

-- table: budget_events
-- One row per rung of a budget's ladder that was passed: noted once a month and never taken back, whatever is re-priced later.
-- grain: event_id
CREATE TABLE budget_events (
    event_id VARCHAR NOT NULL,  -- Deterministic id: from scope, name, month and rung.
    scope VARCHAR NOT NULL,  -- 'workflow', 'team', 'cost_center' or 'fleet'.
    name VARCHAR NOT NULL,  -- Workflow, team or cost center; '(fleet)' for all.
    month DATE NOT NULL,  -- First day of the month, UTC.
    rung DOUBLE NOT NULL,  -- Share of the budget: 0.5, 0.8 or 1.
    passed_on DATE NOT NULL,  -- Day on which it was passed.
    spent_usd DOUBLE NOT NULL,  -- Spend of the month when this was noted, in US dollars.
    budget_usd DOUBLE NOT NULL,  -- Budget then, in US dollars.
    noted_at TIMESTAMP NOT NULL  -- When this was noted, by the clock of that machine.
);
