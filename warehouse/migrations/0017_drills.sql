-- Rollback drills, as an operator records them; and the objectives that the catalog gives a workflow.

ALTER TABLE catalog_workflows ADD COLUMN success_ratio_objective DOUBLE;  -- Least share of settled runs that succeed; null when the catalog gives none.
ALTER TABLE catalog_workflows ADD COLUMN cost_per_success_usd_objective DOUBLE;  -- Most that a success may cost, in US dollars; null when the catalog gives none.
ALTER TABLE catalog_workflows ADD COLUMN escalation_ratio_objective DOUBLE;  -- Most of the settled runs that may be handed to a person; null when the catalog gives none.
ALTER TABLE catalog_workflows ADD COLUMN policy_adherence_ratio_objective DOUBLE;  -- Least share of policy decisions that allow; null when the catalog gives none.

-- table: drills
-- One row per rollback drill recorded with `plumbline drill`; what it took is measured from the traces (mart drills_measured).
-- grain: drill_id
CREATE TABLE drills (
    drill_id VARCHAR NOT NULL,  -- Random id.
    workflow VARCHAR NOT NULL,  -- Workflow that was stopped.
    release VARCHAR,  -- Release or agent version that was stopped: that of its latest run before, unless stated; null when its runs name none.
    started_at TIMESTAMP NOT NULL,  -- The trigger.
    stopped_at TIMESTAMP,  -- End of the exercise; null while it goes on.
    said_by VARCHAR,  -- Who held it.
    note VARCHAR  -- What was tried, or found.
);
