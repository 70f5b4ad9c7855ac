-- Each release beside the one before it, and the release that a workflow is held to.

ALTER TABLE catalog_workflows ADD COLUMN baseline_release VARCHAR;  -- Release that later ones are compared with, besides the one before them; null when the catalog names none.

-- table: release_comparisons
-- One row per measure of a release and what it is compared with, as of the last `plumbline refresh`, which replaces them all.
-- Releases are in the order of their first run; shadow runs are left out, but where compared_with is 'people'. Runs of every day that table runs still has are counted.
-- The five intervals of a pair all cover the truth, at this look and at all others, with probability 0.95 (docs/compare.md).
-- grain: workflow, compared_with, from_release, to_release, measure
CREATE TABLE release_comparisons (
    workflow VARCHAR NOT NULL,  -- Workflow.
    compared_with VARCHAR NOT NULL,  -- 'previous' (the release whose first run came before), 'baseline' (the catalog's, where that is another one) or 'people' (decisions of shadow runs beside those of people).
    from_release VARCHAR,  -- Release before; null with people.
    to_release VARCHAR,  -- Release after; with people the one that ran in shadow, null where its runs name none.
    from_first_at TIMESTAMP,  -- First start of the runs before; null with people.
    to_first_at TIMESTAMP,  -- First start of the runs after.
    measure VARCHAR NOT NULL,  -- 'success rate', 'cost per run', 'duration', 'tool error rate' or 'denial rate'; 'agreement' with people.
    verdict VARCHAR,  -- 'better', 'worse' (zero is excluded), 'same within the margin', 'no worse than the margin', 'no difference yet' or 'needs data'; null where people are agreed with as measured.
    before_value DOUBLE,  -- Value before, in unit: mean, of a duration the geometric one; null without a run, and with people.
    after_value DOUBLE,  -- Value after; with people the share of decisions that are the same.
    unit VARCHAR,  -- Of both values: 'share' (0 to 1), 'usd' or 'ms'.
    difference DOUBLE,  -- after_value less before_value, in unit; of a duration as a share of before_value. Null where data is missing, and with people.
    low DOUBLE,  -- Lower end of the interval of the difference; with people of after_value.
    high DOUBLE,  -- Upper end of it.
    relative DOUBLE,  -- difference as a share of before_value; null where that is 0.
    margin DOUBLE,  -- A difference up to this counts as none, in the unit of the difference: 0.05 of a share, 5 % of a cost or duration.
    before_runs BIGINT,  -- Runs before that the value rests on.
    after_runs BIGINT,  -- Runs after that the value rests on.
    before_coverage_ratio DOUBLE,  -- before_runs ÷ all runs before.
    after_coverage_ratio DOUBLE,  -- after_runs ÷ all runs after.
    missing VARCHAR,  -- How many runs of which kind are wanting on which side; null when none is.
    as_of_at TIMESTAMP,  -- Latest end of a run that was looked at.
    computed_at TIMESTAMP NOT NULL  -- When this was computed, by the clock of that machine.
);
