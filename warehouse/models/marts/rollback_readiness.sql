-- mart: rollback_readiness
-- group: scorecard
-- Rollback readiness: could each workflow be stopped and taken back today? As strong as its weakest link.
-- grain: workflow
-- The last day of rollback_readiness_daily, where links and formulas stand.
-- columns:
--   workflow: Workflow with runs in the 30 days up to as_of.
--   as_of: Latest event time of the warehouse.
--   versions_pinned_ratio: Runs that name their release, or both agent and prompt version ÷ runs.
--   known_good_release: The latest earlier release that is known good, else the earlier release with most settled runs.
--   known_good_runs: Its settled runs.
--   known_good_score: The link, 0 to 1.
--   compensated_write_ratio: Write calls whose tool has a compensation in the catalog or was in fact compensated, and
--     irreversible calls in runs with a granted approval ÷ all write and irreversible calls; 1 without such calls, null
--     when tool calls are there and no effect is known.
--   drill_at: Start of the latest successful drill.
--   drill_score: The link, 0 or 1.
--   stop_minutes: Time from trigger to completion of the latest kill switch, in minutes.
--   rollback_minutes: The same for the latest rollback of a version, else of another kind, in minutes.
--   objective_minutes: Time allowed, in minutes: the catalog's, else 15.
--   objective_score: The link, 0 to 1; null when nothing was measured.
--   score: The weakest link, 0 to 1; null when not provable.
--   weakest_link: Its name: 'versions', 'known_good', 'compensation', 'drill' or 'objective'; null when every link holds.
--   detail: What is wrong with it, in one sentence.
--   to_do: The cheapest way to raise that link: for compensation the tool with most uncovered calls. Null when every link holds.
--   to_raise: Every link below 1 or not provable, the weakest first: its name, score, what is wrong, and the cheapest way to raise it.

SELECT
    workflow,
    as_of,
    versions_pinned_ratio,
    known_good_release,
    known_good_runs,
    known_good_score,
    compensated_write_ratio,
    drill_at,
    drill_score,
    stop_minutes,
    rollback_minutes,
    objective_minutes,
    objective_score,
    score,
    weakest_link,
    detail,
    to_do,
    to_raise
FROM rollback_readiness_daily
WHERE date = (SELECT latest_at::DATE FROM event_clock)
ORDER BY workflow
