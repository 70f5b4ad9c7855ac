"""Rules: what a closed run shows by itself, without statistics, as observations of kind ``rule`` for ``pipelines/latches.py``.

An observation says that a run did what a rule forbids: dimension is what (a tool, a model, a policy in its version), value how
often, category what else the sentence about it needs. Names that nobody declares are judged by the workflow's own past: for
them each run gives the names that it used, category ``LEARNED``, and value is the number of runs to learn from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from pipelines.stages.observation import rule

#: Rules by name: the family of their signals, and the number behind the rule where the catalog gives none.
RULES: dict[str, tuple[str, float | None]] = {
    "approval_skipped": ("policy", None),
    "forbidden_effect": ("policy", None),
    "loop": ("behavior", 20),
    "outdated_policy": ("policy", None),
    "refused_again": ("policy", 3),
    "unknown_model": ("cost", 500),
    "unknown_policy_version": ("policy", None),
    "unknown_tool": ("tool", 500),
}
#: Category of a name that only the workflow's own past can tell to be new.
LEARNED = "learned"
#: The rules that may have such names.
LEARNING = ("unknown_model", "unknown_tool")
#: What providers append to a model's name for its dated versions: -2025-04-14, -20250929, @20250929.
_SNAPSHOT = r"[-@]\d{4}-?\d{2}-?\d{2}$"
_OF_RUN = ("closed_at", "late", "turn")


_TOOLS = {"tool_name": pl.String, "effect": pl.String}
_MODELS = {"workflow": pl.String, "model": pl.String}
_EFFECTS = {"workflow": pl.String, "effects_allowed": pl.List(pl.String)}
_OFF = {"workflow": pl.String, "metric": pl.String}
_SWITCHES = {"workflow": pl.String, "metric": pl.String, "enabled": pl.Boolean, "least": pl.Float64}


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """What the catalog says of how workflows are watched, and that rules are about; nothing without a catalog.

    Attributes
    ----------
    tools : pl.DataFrame
        tool_name, effect (null where unknown).
    models : pl.DataFrame
        workflow, model: what may serve the workflows that list any.
    effects : pl.DataFrame
        workflow, effects_allowed (list), of the workflows that say so.
    switches : pl.DataFrame
        workflow, metric (the rule), enabled, least (null: the default).
    off : pl.DataFrame
        workflow, metric: the streams that are not watched.
    """

    tools: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=_TOOLS))
    models: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=_MODELS))
    effects: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=_EFFECTS))
    switches: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=_SWITCHES))
    off: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=_OFF))

    @classmethod
    def of(cls, workflows: pl.DataFrame, tools: pl.DataFrame) -> Declared:
        """Return what the tables ``catalog_workflows`` and ``catalog_tools`` say."""
        drift = {
            workflow: json.loads(said)
            for workflow, said in workflows.select("workflow", "drift").drop_nulls().iter_rows()
        }
        said = [
            (workflow, metric, entry.get("enabled", True), entry.get("calls", entry.get("times", entry.get("runs"))))
            for workflow, section in drift.items()
            for metric, entry in section.get("rules", {}).items()
        ]
        off = [
            (workflow, metric)
            for workflow, section in drift.items()
            for metric, watched in section.get("streams", {}).items()
            if not watched
        ]
        listed = workflows.select("workflow", model="models").drop_nulls().explode("model")
        return cls(
            tools.select("tool_name", "effect"),
            listed.cast(pl.String),
            workflows.select("workflow", "effects_allowed").drop_nulls(),
            pl.DataFrame(said, schema=_SWITCHES, orient="row"),
            pl.DataFrame(off, schema=_OFF, orient="row"),
        )


def broken(
    spans: pl.DataFrame,
    tools: pl.DataFrame,
    facts: dict[str, pl.DataFrame],
    policies: pl.DataFrame,
    declared: Declared,
) -> list[pl.DataFrame]:
    """Return the observations of each rule: at most one per run and dimension.

    Parameters
    ----------
    spans, tools : pl.DataFrame
        Spans of closed runs that are no shadow, and those of them that call a named tool, with the run's workflow, closed_at,
        late and turn.
    facts : dict of str to pl.DataFrame
        policy_decisions and approvals of those runs, with the same columns.
    policies : pl.DataFrame
        catalog_policies: policy, version, effective_at.
    declared : Declared
    """
    decisions = facts["policy_decisions"]
    return [
        _rows("approval_skipped", _skipped(facts["approvals"]), declared),
        _rows("forbidden_effect", _forbidden(tools, facts, declared), declared),
        _rows("loop", _repeated(tools), declared),
        _rows("outdated_policy", _outdated(decisions, policies), declared),
        _rows("refused_again", _refused(decisions, tools), declared),
        _rows("unknown_model", _models(spans, declared), declared),
        _rows("unknown_policy_version", _unknown_versions(decisions, policies), declared),
        _rows("unknown_tool", _tools(tools, declared), declared),
    ]


def _rows(metric: str, found: pl.DataFrame, declared: Declared) -> pl.DataFrame:
    """Observations of one rule, where it is on and what was found reaches its number.

    ``found`` has the run's columns, name, and count (null: a name to learn) and said (null: nothing more to say).
    """
    family, least = RULES[metric]
    told = declared.switches.filter(metric=metric).drop("metric")
    found = found.join(told, on="workflow", how="left", maintain_order="left").with_columns(
        pl.col("least").fill_null(least) if least is not None else pl.col("least")
    )
    # Tried again so many times is denied once more than that.
    enough = pl.col("least") + int(metric == "refused_again") if metric in ("loop", "refused_again") else pl.lit(1)
    found = found.filter(
        pl.col("enabled").fill_null(True), pl.col("count").is_null() | (pl.col("count") >= enough)
    ).with_columns(
        value=pl.coalesce("count", "least"),
        category=pl.when(pl.col("count").is_null()).then(pl.lit(LEARNED)).otherwise("said"),
        # Without a dimension it would pass for the rate of the same name.
        name=pl.col("name").replace("", "(no name)"),
    )
    return rule(found, family, metric, "value", "category", dimension="name")


def _per_run(frame: pl.DataFrame, count: pl.Expr | None = None, said: pl.Expr | None = None) -> pl.DataFrame:
    """One row per run and name."""
    return frame.group_by("trace_id", "name", maintain_order=True).agg(
        pl.col("workflow", *_OF_RUN).first(),
        count=(pl.len() if count is None else count).cast(pl.Float64),
        said=(pl.lit(None, pl.String) if said is None else said).first(),
    )


def _skipped(approvals: pl.DataFrame) -> pl.DataFrame:
    return _per_run(
        approvals.filter(status="bypassed").with_columns(name=pl.col("tool_name").fill_null("an unnamed action"))
    )


def _forbidden(tools: pl.DataFrame, facts: dict[str, pl.DataFrame], declared: Declared) -> pl.DataFrame:
    """Calls of an effect that the workflow may not have; what a policy or a person stopped had none."""
    stopped = pl.concat(
        [
            facts["policy_decisions"].filter(action="deny").select("trace_id", "span_id"),
            facts["approvals"].filter(status="denied").select("trace_id", "span_id"),
        ]
    )
    effect = pl.coalesce("effect", "tool_effect")
    return _per_run(
        tools.join(declared.effects, on="workflow", maintain_order="left")
        .join(declared.tools, on="tool_name", how="left", maintain_order="left")
        .filter(~effect.is_in(pl.col("effects_allowed")))
        .join(stopped, on=["trace_id", "span_id"], how="anti", maintain_order="left")
        .with_columns(name="tool_name", said=effect),
        said=pl.col("said"),
    )


def _repeated(tools: pl.DataFrame) -> pl.DataFrame:
    """Most calls of a tool with one argument shape; a call of unknown shape equals no other."""
    alike = tools.drop_nulls("tool_arguments_shape").group_by(
        "trace_id", "tool_name", "tool_arguments_shape", maintain_order=True
    )
    counted = alike.agg(pl.col("workflow", *_OF_RUN).first(), calls=pl.len())
    return _per_run(counted.with_columns(name="tool_name"), pl.col("calls").max())


def _outdated(decisions: pl.DataFrame, policies: pl.DataFrame) -> pl.DataFrame:
    """Decisions under a version of the catalog after a later one had come into force."""
    dated = policies.drop_nulls("effective_at").select("policy", "version", "effective_at")
    return _per_run(
        decisions.join(dated, left_on=["policy", "policy_version"], right_on=["policy", "version"])
        .join(dated, on="policy", suffix="_in_force")
        .filter(
            pl.col("effective_at_in_force") > pl.col("effective_at"), pl.col("effective_at_in_force") <= pl.col("at")
        )
        .sort("turn", "trace_id", "effective_at_in_force", "version", descending=[False, False, True, False])
        .with_columns(name=_version_named()),
        pl.struct("span_id", "at").n_unique(),
        pl.col("version"),
    )


def _unknown_versions(decisions: pl.DataFrame, policies: pl.DataFrame) -> pl.DataFrame:
    """Decisions of a policy of the catalog under a stated version that it lacks."""
    known = policies.select("policy", policy_version="version")
    return _per_run(
        decisions.drop_nulls("policy_version")
        .join(policies.select("policy").unique(), on="policy", how="semi", maintain_order="left")
        .join(known, on=["policy", "policy_version"], how="anti", maintain_order="left")
        .with_columns(name=_version_named())
    )


def _version_named() -> pl.Expr:
    return pl.concat_str("policy", "policy_version", separator=" ")


def _refused(decisions: pl.DataFrame, tools: pl.DataFrame) -> pl.DataFrame:
    """Denials per action: the tool that the decision is about, where its span says, else the policy's rule."""
    denied = decisions.filter(action="deny")
    called = tools.select("trace_id", "span_id", "tool_name")
    return _per_run(
        denied.join(called, on=["trace_id", "span_id"], how="left", maintain_order="left").with_columns(
            name=pl.concat_str("policy", pl.coalesce("tool_name", "rule"), separator=" ", ignore_nulls=True)
        )
    )


def _models(spans: pl.DataFrame, declared: Declared) -> pl.DataFrame:
    """Models that served: the one that answered, or the one asked for where the answer does not say and is no error."""
    served = pl.coalesce("response_model", pl.when(pl.col("status") != "error").then("request_model"))
    used = _per_run(spans.filter(kind="model").with_columns(name=served).drop_nulls("name"))
    if declared.models.is_empty():
        return _to_learn(used)
    listing = declared.models.select("workflow").unique()
    allowed = declared.models.select("workflow", name="model")
    strange = used.join(listing, on="workflow", how="semi", maintain_order="left")
    for name in (pl.col("name"), pl.col("name").str.replace(_SNAPSHOT, "")):
        strange = strange.join(
            allowed, left_on=["workflow", name], right_on=["workflow", "name"], how="anti", maintain_order="left"
        )
    return pl.concat([strange, _to_learn(used.join(listing, on="workflow", how="anti", maintain_order="left"))])


def _tools(tools: pl.DataFrame, declared: Declared) -> pl.DataFrame:
    used = _per_run(tools.with_columns(name="tool_name"))
    if declared.tools.is_empty():
        return _to_learn(used)
    return used.join(declared.tools, left_on="name", right_on="tool_name", how="anti", maintain_order="left")


def _to_learn(used: pl.DataFrame) -> pl.DataFrame:
    return used.with_columns(count=pl.lit(None, pl.Float64))
