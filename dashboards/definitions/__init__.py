"""What every figure means: formula, unit, what it leaves out, and the table it is read from.

One entry per figure; pages show it under the question mark beside the figure's title, and `pages/figures.py` shows all of them
with the SQL behind each (`statements.py`).
"""

from __future__ import annotations

from dashboards.definitions.definition import Definition
from dashboards.definitions.money import MONEY
from dashboards.definitions.operating import OPERATING
from dashboards.definitions.trust import TRUST

__all__ = ["DEFINITIONS", "Definition"]

DEFINITIONS: dict[str, Definition] = {
    **MONEY,
    **OPERATING,
    **TRUST,
    "cost_per_success": Definition(
        "Cost per successful outcome",
        "What one outcome that the business wanted costs, with the runs that failed on the way paid for.",
        "cost of all settled, priced runs (model + tools + escalation) ÷ the successes among them; 95 % interval of a ratio "
        "over runs (Fieller)",
        "US dollars per successful run",
        "Runs whose outcome is still pending, and runs with a call that has no known price. Unknown is never counted as zero.",
        "runs, cost_per_outcome_daily",
    ),
    "cost": Definition(
        "Cost",
        "What the runs of the period cost: model calls at the price in force when they ran, tools and escalations.",
        "sum of cost over settled, priced runs",
        "US dollars",
        "Runs that are pending or have a call without a known price.",
        "runs",
    ),
    "runs": Definition(
        "Runs",
        "How often an agent workflow was started.",
        "number of runs by start time; pending ones (outcome not known yet, window still open) are counted and named",
        "runs",
        "Nothing.",
        "runs",
    ),
    "success_ratio": Definition(
        "Success ratio",
        "How many runs ended with the outcome that the business wanted.",
        "successful runs ÷ settled runs; a run without an outcome counts as not successful once its window has closed",
        "share of settled runs",
        "Pending runs.",
        "runs, scorecard_daily",
    ),
    "reuse_ratio": Definition(
        "Reuse rate",
        "How much of the work is done by certified components that several workflows share.",
        "invocations of tools, prompts, agents and policy checks that resolve to a certified component used by two or more "
        "workflows ÷ all invocations",
        "share of invocations",
        "Without certified components in the catalog it is 0 or unknown. Covers all environments.",
        "reuse_daily",
    ),
    "rollback_readiness": Definition(
        "Rollback readiness",
        "Whether a bad release can be stopped and undone, judged by the weakest link of the chain.",
        "least of: versions pinned on runs; a known-good earlier release; writes covered by a compensation; a drill in the "
        "last 90 days; time to stop and to roll back within the objective",
        "0 (no) to 1 (proven)",
        "Not proven where a link has no evidence in the traces. Covers all environments.",
        "rollback_readiness",
    ),
    "policy_adherence": Definition(
        "Policy adherence",
        "How many of the agents' actions their policies allowed.",
        "decisions with action allow ÷ all policy decisions",
        "share of decisions",
        "Runs without policy decisions.",
        "policy_decisions",
    ),
    "open_incidents": Definition(
        "Open incidents",
        "Drift that was detected and not resolved.",
        "incidents whose state is open or acknowledged",
        "incidents",
        "Silenced and resolved incidents. Covers all environments.",
        "incidents",
    ),
    "verdict": Definition(
        "Verdict",
        "What the figures of a workflow say together.",
        "Drifting: an open incident. Cost rising: cost per success above the earlier period by more than sampling explains. "
        "Success falling: the same for the success ratio. No rollback: readiness below 0.5. Not proven: readiness unknown. "
        "Steady: none of these",
        "–",
        "Nothing; the first that holds is shown.",
        "runs, incidents, rollback_readiness",
    ),
    "unsuccessful_spend": Definition(
        "Spend without success",
        "Money that went into runs which did not end in success.",
        "cost of settled, priced runs whose outcome is not success; share = that ÷ cost of all settled, priced runs",
        "US dollars per bucket",
        "Runs that are pending or have a call without a known price.",
        "runs",
    ),
    "made_of": Definition(
        "What a success is paid for",
        "Where the money of one successful outcome goes: to models, to tools, or to people who took a run over.",
        "model, tool and escalation cost of settled, priced runs, each ÷ the successes among them; the parts add up to the "
        "cost per success",
        "US dollars per successful run",
        "Tools and escalations without a cost in the catalog count as nothing: give them one to see them.",
        "runs, catalog_tools, catalog_workflows",
    ),
    "price_coverage": Definition(
        "Price coverage",
        "How much of the model traffic has a known price: the rest is missing from every cost.",
        "model calls with a known price ÷ model calls that need one, in settled runs",
        "share of model calls",
        "Calls that failed without using a token: they cost nothing.",
        "runs, price_list",
    ),
    "incident_timeline": Definition(
        "Incident timeline",
        "When each drift began, and when it was noticed.",
        "bar from the estimated onset (open mark) to the last signal; filled mark = detected",
        "event time, UTC",
        "Incidents resolved before the period shown.",
        "incidents, signals",
    ),
    "two_sample": Definition(
        "Two-sample test",
        "Whether runs before and after the onset differ, by a test that fits the metric, and by how much.",
        "numbers: Brunner-Munzel, Cliff's delta = P(after > before) − P(after < before); rates: Fisher's exact test, difference "
        "of the rates; mixes: chi-square with permuted runs, total variation; 95 % intervals of Newcombe and of the bootstrap",
        "−1 to 1; total variation 0 to 1",
        "Descriptive: the runs were chosen because of the alarm, so a small p is expected. At most 1,000 runs on a side.",
        "signals",
    ),
    "causes": Definition(
        "Score of a cause",
        "How well a version, model or price that changed near the onset tells runs before it from runs after it.",
        "(share of runs with the new value after the onset − share before it) × closeness; closeness is 1 within the onset's "
        "interval and ½ at the distance that detection took",
        "0 to 1",
        "What traces do not name: a change of data or of an outside system has no version.",
        "signals",
    ),
    "release_success": Definition(
        "Success rate of a release",
        "Whether more or fewer of the runs end as the business wants than under the release before.",
        "successful ÷ settled runs of each release; interval of the difference: mixture of Bernoulli likelihoods, valid at every "
        "look",
        "share of settled runs; change in percentage points",
        "Pending and shadow runs, and runs that name no release. Covers all environments and every run there is.",
        "release_comparisons",
    ),
    "release_cost": Definition(
        "Cost per run of a release",
        "Whether a run costs more or less than under the release before.",
        "mean cost (model + tools + escalation) of the runs of each release; interval of the difference: asymptotic confidence "
        "sequence, valid at every look",
        "US dollars per run; change in per cent of the mean before",
        "Runs with a call without a known price, shadow runs, runs that name no release. Covers all environments.",
        "release_comparisons",
    ),
    "release_duration": Definition(
        "Duration under a release",
        "Whether runs take longer or shorter than under the release before.",
        "geometric mean of the time from first start to last end; ratio of both, interval as for the cost, of the logarithm",
        "seconds; change in per cent",
        "Runs without a start or an end, shadow runs, runs that name no release. Covers all environments.",
        "release_comparisons",
    ),
    "release_tool_errors": Definition(
        "Tool error rate of a release",
        "Whether more or fewer runs have a failed tool call than under the release before.",
        "runs with a failed tool call ÷ runs with a tool call; interval as for the success rate",
        "share of runs that call a tool; change in percentage points",
        "Runs without a tool call, shadow runs, runs that name no release. Covers all environments.",
        "release_comparisons",
    ),
    "release_denials": Definition(
        "Denial rate of a release",
        "Whether policies deny something in more or fewer runs than under the release before.",
        "runs with a denied action ÷ runs with a policy decision; interval as for the success rate",
        "share of runs with a policy decision; change in percentage points",
        "Runs without a policy decision, shadow runs, runs that name no release. Covers all environments.",
        "release_comparisons, policy_decisions",
    ),
    "release_agreement": Definition(
        "Agreement with people",
        "How often a release that runs in shadow decides what a person decided.",
        "shadow runs whose plumbline.agent.decision equals plumbline.human.decision ÷ those that state both; interval valid at "
        "every look, 95 %",
        "share of shadow runs that state both",
        "Shadow runs without one of the two.",
        "release_comparisons",
    ),
    "precision": Definition(
        "Precision of alarms",
        "How many of the incidents that people have judged were real.",
        "judged real ÷ judged real or false, with Wilson's 95 % interval; false alarms a week: signals of incidents judged "
        "false ÷ weeks watched",
        "share of acknowledged incidents",
        "Incidents that nobody has judged; all workflows and environments are covered, whatever the filters say.",
        "alarm_precision",
    ),
    "evidence": Definition(
        "Evidence",
        "How strongly the data speak against “nothing changed”.",
        "log e-value: natural logarithm of an e-value; 4.6 means 100 to 1 against no change. Before → after: means over the "
        "observations on either side of the onset",
        "natural logarithm; values in the metric's own unit",
        "Mixes (which tools, which sources) have shares instead of one mean.",
        "signals",
    ),
}
