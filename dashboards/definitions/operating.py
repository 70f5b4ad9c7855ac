"""Figures of the pages of drift, of tools and of policy."""

from __future__ import annotations

from dashboards.definitions.definition import Definition

OPERATING: dict[str, Definition] = {
    "streams_ready": Definition(
        "Streams that watch",
        "Whether what a workflow does is watched for drift yet: each metric has a stream, and one for each tool or environment.",
        "watching: streams that would raise an alarm, those that have and wait for an answer included; warming up: they learn "
        "what is usual; needs data: fewer than 30 observations or runs; retired: forgotten because nothing came for long "
        "(60 days of the fleet); off: the catalog switches the metric off",
        "streams",
        "Rules, which need no warm-up. Covers all environments; as of the detectors' last checkpoint.",
        "detector_streams, catalog_workflows",
    ),
    "tool_calls": Definition(
        "Tool calls",
        "How often agents called a tool.",
        "tool spans, and calls asked for in a model's output for which no span of the tool came",
        "calls of runs that started in the period",
        "Calls without a tool's name.",
        "tool_calls_hourly, tool_calls",
    ),
    "tool_error_ratio": Definition(
        "Share of calls that failed",
        "How often a call of the tool ended in an error.",
        "calls whose span has status error ÷ calls with a span; 95 % interval of Wilson with the effective number of calls "
        "(variance over runs, Kish), because calls of one run fail together; changes by Newcombe's interval",
        "share of calls",
        "Calls of which only the request was seen.",
        "tool_calls_hourly",
    ),
    "tool_latency": Definition(
        "Duration of a tool call",
        "How long a call takes: half take no longer than the median, 95 of 100 no longer than the 95th percentile.",
        "quantiles of end − start, read from counts per eighth of a doubling: within 4.5 %; slower means 25 % or more, on "
        "50 calls or more in both periods",
        "milliseconds, seconds",
        "Calls without a span, or with an end before their start.",
        "tool_calls_hourly",
    ),
    "tool_shapes": Definition(
        "Argument shapes",
        "With how many different sets of argument names and types a tool is called; never the values.",
        "distinct shapes in the period; new: first seen in it, in 1 % of the tool's calls or more, of a tool that was "
        "called before",
        "shapes",
        "Calls whose arguments the trace does not hold.",
        "tool_variants_daily",
    ),
    "tool_catalog": Definition(
        "Tools and the catalog",
        "Whether somebody has declared what the tool does.",
        "not in the catalog: called, and neither among its tools nor its components; certified: a shared component, checked once",
        "tools",
        "Unknown while the catalog lists no tools.",
        "tool_calls_hourly, catalog_tools, catalog_components",
    ),
    "policy_findings": Definition(
        "Done against a policy",
        "What runs did against a decision, without a required approval, or beyond what the catalog permits.",
        "breaches: denied actions carried out all the same, irreversible tool calls in runs without a granted approval, "
        "approvals bypassed; besides: effects beyond the catalog's effects_allowed, decisions under an outdated or "
        "unknown version",
        "times; runs",
        "What the traces do not tell: an action outside of a span. Without a catalog the last three are unknown.",
        "policy_findings, governance_by_day",
    ),
    "policy_versions": Definition(
        "Version of a policy",
        "Whether decisions were made under the version that was in force.",
        "outdated: the catalog had a later version in force at that moment; unknown: the catalog has the policy, not the "
        "version; share: both ÷ decisions whose version the catalog can judge",
        "share of decisions; decisions",
        "Decisions of policies that the catalog lacks, and those that state no version.",
        "policy_events_hourly, catalog_policies",
    ),
    "approvals": Definition(
        "Approvals",
        "What became of approvals that agents had to ask for.",
        "approvals granted, denied and bypassed; share bypassed ÷ all that came to an end",
        "approvals; share of those that came to an end",
        "Approvals that were only asked for.",
        "policy_events_hourly, approvals",
    ),
}
