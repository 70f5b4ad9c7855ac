-- Reference data: prices used, and the users' catalog, replaced whole whenever it is read.

-- table: price_list
-- One row per price that was used.
-- grain: price_id
CREATE TABLE price_list (
    price_id VARCHAR NOT NULL,  -- Id of the price.
    provider VARCHAR,  -- Model provider.
    model VARCHAR,  -- Model.
    valid_from TIMESTAMP,  -- First moment it holds; null when always.
    valid_to TIMESTAMP,  -- First moment it no longer holds; null while it holds.
    input_usd_per_mtok DOUBLE,  -- US dollars per million input tokens that were not cached.
    cached_input_usd_per_mtok DOUBLE,  -- US dollars per million input tokens read from the cache.
    cache_write_usd_per_mtok DOUBLE,  -- US dollars per million tokens written to the cache.
    output_usd_per_mtok DOUBLE,  -- US dollars per million output tokens.
    source VARCHAR  -- Where the price is from.
);

-- table: catalog_workflows
-- One row per workflow that the catalog declares.
-- grain: workflow
CREATE TABLE catalog_workflows (
    workflow VARCHAR NOT NULL,  -- Workflow.
    owner VARCHAR,  -- Who answers for it.
    team VARCHAR,  -- Team that pays.
    cost_center VARCHAR,  -- Cost center that pays.
    outcome_name VARCHAR,  -- The outcome that counts, when a run has several.
    outcome_window_hours DOUBLE,  -- How long after its start a run may still get its outcome, in hours.
    budget_usd_per_month DOUBLE,  -- Budget, in US dollars per calendar month.
    escalation_cost_usd DOUBLE,  -- Cost of handing one run to a person, in US dollars.
    rollback_objective_minutes DOUBLE  -- Time allowed to stop or roll back, in minutes.
);

-- table: catalog_tools
-- One row per tool that the catalog declares.
-- grain: tool_name
CREATE TABLE catalog_tools (
    tool_name VARCHAR NOT NULL,  -- Tool.
    effect VARCHAR,  -- 'read', 'write' or 'irreversible'.
    cost_per_call_usd DOUBLE,  -- Cost of one call, in US dollars.
    compensation VARCHAR,  -- Tool that undoes it; null when none is declared.
    certified BOOLEAN  -- Whether it is a certified shared component.
);

-- table: catalog_components
-- One row per shared component that the catalog declares.
-- grain: component_kind, name, version
CREATE TABLE catalog_components (
    component_kind VARCHAR NOT NULL,  -- 'prompt', 'agent', 'policy' or 'tool'.
    name VARCHAR NOT NULL,  -- Name of the component.
    version VARCHAR,  -- Version; null for every version.
    certified BOOLEAN  -- Whether it is a certified shared component.
);

-- table: catalog_policies
-- One row per policy version that the catalog declares.
-- grain: policy, version
CREATE TABLE catalog_policies (
    policy VARCHAR NOT NULL,  -- Policy.
    version VARCHAR NOT NULL,  -- Version.
    effective_at TIMESTAMP  -- From when on decisions must be made under it.
);
