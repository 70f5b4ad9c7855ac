"""What the figures of money and of the scorecard's controls mean."""

from __future__ import annotations

from dashboards.definitions.definition import Definition

MONEY: dict[str, Definition] = {
    "bridge": Definition(
        "Why it moved",
        "What made one successful outcome dearer or cheaper than in the period before.",
        "each factor's Shapley value: what it moves on average over all orders in which the factors could have moved;"
        " the parts sum to the change exactly",
        "US dollars per successful run",
        "Runs that are pending or have a call without a known price. Of several workflows a shift of runs between them is the "
        "workflow mix; the other factors are what moved within the workflows, and before and now are at the same mix.",
        "runs_hourly, model_usage_hourly",
    ),
    "landing": Definition(
        "Where the month will land",
        "What the month will have cost at its end, if the days to come are like those before.",
        "spend of complete days + forecast of the days to come (level of 28 days × factor of the weekday); band: 90 %"
        " interval of Student's t. Pending and shadow runs are included, for they cost as well",
        "US dollars since the month's first day",
        "Runs without a known price. It knows of no holiday, growth or next release.",
        "runs_hourly, budgets_monthly",
    ),
    "budget": Definition(
        "Budgets",
        "How much of each budget in the catalog is spent, and whether the month will end within it.",
        "Over budget: spent above the budget. Will run over: the whole 90 % interval of the month's end is above it. "
        "May run over: its upper end is. Past error: mean |forecast − spent| ÷ mean spent of earlier weeks",
        "US dollars a calendar month (UTC)",
        "Runs without a known price. Covers all environments and releases; as of the last refresh.",
        "budgets_monthly",
    ),
    "burn": Definition(
        "Burn rate",
        "How fast a budget is spent.",
        "spend a day ÷ (budget ÷ days of the month), over the last complete day and over the last seven; it burns "
        "when both are 2 or more",
        "1 lasts the month to the day",
        "Days that are not complete.",
        "budgets_monthly",
    ),
    "chargeback": Definition(
        "Chargeback",
        "Who pays for what was spent.",
        "own: cost of the runs that carry the tag; shared: the shared workflow's cost × own ÷ the own cost of all "
        "tags; pays: both. Runs without the tag are (unallocated), take no part of what is shared, and are a row of "
        "their own",
        "US dollars; coverage: runs with a known cost ÷ runs",
        "Runs without a known price. Pending and shadow runs are included, for they cost as well.",
        "runs_hourly",
    ),
    "tool_spend": Definition(
        "Spend by tool",
        "What the calls of each tool cost.",
        "calls × the catalog's cost per call; share: of what all tools with a price cost; coverage: calls with a price ÷ calls",
        "US dollars",
        "Tools without a cost per call in the catalog: their calls are counted, what they cost is unknown."
        " Pending and shadow runs are included, for their calls cost as well.",
        "tool_calls_hourly, catalog_tools",
    ),
    "expansion": Definition(
        "Safe to expand",
        "Whether a workflow can be given more traffic as it is.",
        "Safe when all hold: 100 settled runs or more; no open incident; success at or above the catalog's target and"
        " not falling; cost per success at or below the target, not rising, 95 % of model calls priced; the month "
        "will end within the budget; rollback readiness 0.8 or more; no clause of the reliability contract broken or "
        "not provable. Hold when one is broken; not proven when evidence for one is missing",
        "–",
        "Targets that the catalog does not set. Budget, readiness and contract cover all environments.",
        "runs_hourly, incidents, catalog_workflows, budgets_monthly, rollback_readiness, reliability_contract",
    ),
    "breach_rate": Definition(
        "Policy breaches",
        "How often a control was overstepped.",
        "(actions carried out despite a deny + irreversible calls without a granted approval + approvals bypassed) ÷ "
        "tool calls × 1,000",
        "breaches per 1,000 actions",
        "Actions without a span.",
        "scorecard_daily",
    ),
    "override_rate": Definition(
        "Overridden by people",
        "How often a person changed what an agent decided.",
        "runs with a decision that a person changed ÷ runs",
        "share of runs",
        "Changes that no event plumbline.override tells of.",
        "scorecard_daily",
    ),
    "incident_rate": Definition(
        "Incidents",
        "How often the fleet drifts, for what it does.",
        "incidents opened ÷ tool calls × 1,000",
        "incidents per 1,000 actions",
        "Days without an action.",
        "scorecard_daily",
    ),
    "containment": Definition(
        "Incidents contained",
        "Whether trouble stays where it begins.",
        "incidents beside which no other workflow's opened within an hour ÷ incidents opened",
        "share of incidents",
        "Days without an incident.",
        "scorecard_daily",
    ),
    "diagnosis": Definition(
        "Time to diagnose",
        "How long it takes until a person has judged an incident.",
        "mean time from the writing of its first signal to the first judgement",
        "minutes",
        "Incidents that nobody has judged.",
        "scorecard_daily",
    ),
    "audit": Definition(
        "Audit completeness",
        "Of how many runs the whole decision path can be rebuilt.",
        "settled runs with identity, versions, tool calls with result, decisions, approvals and outcome ÷ settled "
        "runs; days weighed by their runs",
        "share of settled runs",
        "Pending runs.",
        "scorecard_daily",
    ),
    "reversibility": Definition(
        "Reversibility",
        "How many rollbacks worked when they were needed.",
        "rollbacks that succeeded ÷ rollbacks, drills left out",
        "share of rollbacks",
        "Days without a rollback.",
        "scorecard_daily",
    ),
    "rollback_time": Definition(
        "Time to roll back",
        "How long a rollback took.",
        "mean time from trigger to completion; days weighed by their rollbacks",
        "minutes",
        "Rollbacks that were not timed, and drills.",
        "scorecard_daily",
    ),
    "update_time": Definition(
        "Time to update",
        "How long old and new ran side by side when a release, model or policy changed.",
        "mean time from the first run on the new version to the last run on the one before",
        "hours",
        "Changes whose old version is still in use.",
        "scorecard_daily",
    ),
    "within_budget": Definition(
        "Days within budget",
        "How predictable the cost is.",
        "days whose cost is at most an even day's share of the month's budget ÷ days with a budget and a known cost",
        "share of days",
        "The fleet as a whole, which has no budget.",
        "scorecard_daily",
    ),
}
