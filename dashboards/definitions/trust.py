"""Definitions of the pages on reuse, rollback readiness and runs."""

from __future__ import annotations

from dashboards.definitions.definition import Definition

TRUST: dict[str, Definition] = {
    "component_uses": Definition(
        "Components and who uses them",
        "Which tools, prompts, agents and policies each workflow invokes, and which of them are certified.",
        "sum of invocations by component and workflow; certified as the catalog says, in that version",
        "invocations in the period",
        "Versions of a component are added up. Only the components used most are drawn, the table below lists more; the rest is "
        "counted in words. Covers all environments.",
        "component_uses_daily, catalog_components, catalog_tools",
    ),
    "components_certified": Definition(
        "Certified components in use",
        "How many of the components that were used are certified, and how many of these several workflows share.",
        "distinct kind and name of the components with an invocation, of which the catalog certifies a version that was used; "
        "shared: by two workflows or more in the period",
        "components",
        "Components that nobody invoked in the period. Covers all environments.",
        "component_uses_daily, catalog_components, catalog_tools",
    ),
    "clone_candidates": Definition(
        "Clone candidates",
        "Tools of different names whose usual arguments have the same shape: perhaps one tool, built several times.",
        "tools that share the hash of their usual argument names and types with another one and are not certified; fewer tools: "
        "tools of the shape − 1; calls that move: calls of all but the one to keep; reuse: (certified shared "
        "invocations + calls of "
        "the shape that are not counted there yet) ÷ invocations − reuse rate, where the shape is called by two "
        "workflows or more; "
        "cost: calls that move × (their cost per call − that of the one to keep)",
        "tools; calls since the beginning; percentage points; US dollars",
        "Tools without recorded arguments. The same shape proves nothing: two lookups by id look alike. Cost is "
        "unknown where the "
        "catalog has no cost per call for one of them.",
        "clone_candidates, tool_calls",
    ),
    "readiness_links": Definition(
        "Links of the chain",
        "What stopping and undoing a release rests on; a chain holds as much as its weakest link.",
        "versions: runs that name what they ran under ÷ runs; known-good release: settled runs of the earlier "
        "release ÷ 30, 1 where "
        "it is good; writes compensated: those that can be undone or were approved ÷ all; drill: 1 if one succeeded "
        "within 90 days; "
        "time: objective ÷ the longer of stopping and rolling back, at most 1",
        "0 (no) to 1 (holds)",
        "A link without evidence is unknown, not zero. Covers all environments.",
        "rollback_readiness",
    ),
    "readiness_trend": Definition(
        "Readiness over time",
        "How rollback readiness moved from day to day.",
        "score of each workflow at the end of each day; what became known later counts",
        "0 (no) to 1 (proven)",
        "Days on which it was not proven are gaps.",
        "rollback_readiness_daily",
    ),
    "drills": Definition(
        "Drills, as measured",
        "How long a stopped release went on acting, and when another one took over, by the traces and not by what was said.",
        "stop: from the trigger to the end of the last action of the stopped release; roll back: from the trigger "
        "to the start of "
        "the first run of another release",
        "minutes",
        "Shadow runs. A drill of a release that was not running stops nothing and proves nothing.",
        "drills_measured",
    ),
    "runs_found": Definition(
        "Runs found",
        "Every run that the filters and the search leave, the newest first.",
        "runs that start in the period and match every word of the search",
        "runs",
        "Runs without a start time.",
        "runs, incidents, policy_decisions, audit_by_run, model_calls, tool_calls",
    ),
    "span_tree": Definition(
        "Span tree",
        "What the run did, in the order and under the parents that its trace tells.",
        "bar: from the span's start to its end, on the scale of the run; cost: tokens of a model call at the price "
        "in force, or the "
        "catalog's cost per call of a tool",
        "seconds; tokens; US dollars",
        "A span whose parent never came stands at the top level. Costs of agent spans are those of their children.",
        "spans, tool_calls",
    ),
    "audit": Definition(
        "Audit",
        "Whether the decision path of the run can be rebuilt from its trace by someone who was not there.",
        "complete: none of the clauses identity, versions, tool results, policy decisions, approvals and outcome is "
        "false; a clause "
        "that the run does not need is left out",
        "complete or not",
        "Complete does not mean right. A change that no tool call shows can't be seen.",
        "audit_by_run, runs, model_calls, tool_calls, policy_decisions, approvals, overrides, rollbacks",
    ),
}
