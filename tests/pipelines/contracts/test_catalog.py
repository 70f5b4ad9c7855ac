from pathlib import Path

import polars as pl
import pytest

from pipelines.contracts.catalog import Catalog, load_catalog
from pipelines.errors import TerminalError
from pipelines.simulate.fleet import INTAKE_POLICY, INTAKE_VERSION, TEMPLATES
from pipelines.stages.rates import Rate

EXAMPLE = Path(__file__).resolve().parents[3] / "catalog.example.yaml"


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "catalog.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def message(path: Path) -> str:
    with pytest.raises(TerminalError) as caught:
        load_catalog(path)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(str(path), "catalog.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[]",
            "a catalog is a mapping (catalog.yaml:1): allowed: version, content, budgets, workflows, tools, components, "
            "policies, currencies, prices",
        ),
        ("version: 2", "version is '2' (catalog.yaml:1): this Plumbline reads version 1"),
        ("workflows:\n  a:\n    ownr: x\n", "unknown key 'ownr' (catalog.yaml:3, workflows.a): allowed: owner, team,"),
        (
            "workflows:\n  a: {objectives: {x: 1}}\n",
            "unknown key 'x' (catalog.yaml:2, workflows.a.objectives): allowed: success_",
        ),
        (
            "content: {messages: hide}\n",
            "messages is 'hide' (catalog.yaml:1, content): Input should be 'keep', 'drop', 'hash' or 'mask'",
        ),
        (
            "workflows:\n  a:\n    content: {message: keep}\n",
            "unknown key 'message' (catalog.yaml:3, workflows.a.content): allowed: messages, tool_arguments, tool_results",
        ),
        (
            "workflows:\n  a:\n    owner: b\n    budget_usd_per_month: -3\n",
            "(catalog.yaml:4, workflows.a): Input should be greater",
        ),
        (
            "workflows:\n  a:\n    escalation_cost_usd: nan\n",
            "(catalog.yaml:3, workflows.a): Input should be a finite number",
        ),
        (
            "workflows:\n  a:\n    formerly: [b]\n  b: {}\n",
            "'b' can't be a former name of 'a' (catalog.yaml:3, workflows.a): a run counts once: take it out here, or from 'b'",
        ),
        (
            "workflows:\n  a: {formerly: [old]}\n  b:\n    formerly: [old]\n",
            "'old' can't be a former name of 'b' (catalog.yaml:4, workflows.b): a run counts once",
        ),
        (
            "workflows:\n  a:\n    drift: {rule: {}}\n",
            "unknown key 'rule' (catalog.yaml:3, workflows.a.drift): allowed: rules",
        ),
        (
            "workflows:\n  a:\n    drift:\n      rules:\n        loops: off\n",
            "unknown key 'loops' (catalog.yaml:5, workflows.a.drift.rules): allowed: approval_skipped, forbidden_effect, loop,",
        ),
        (
            "workflows:\n  a:\n    drift:\n      rules:\n        loop: {times: 3}\n",
            "unknown key 'times' (catalog.yaml:5, workflows.a.drift.rules.loop): allowed: enabled, calls",
        ),
        (
            "workflows:\n  a:\n    drift:\n      rules:\n        loop: 10\n",
            "loop is '10' (catalog.yaml:5, workflows.a.drift.rules): give on, off, or a mapping",
        ),
        (
            "workflows:\n  a:\n    drift:\n      rules:\n        loop: {calls: 1}\n",
            "calls is '1' (catalog.yaml:5, workflows.a.drift.rules.loop): Input should be greater than or equal to 2",
        ),
        (
            "workflows:\n  a:\n    effects_allowed: [read, delete]\n",
            "1 is 'delete' (catalog.yaml:3, workflows.a.effects_allowed): Input should be 'read', 'write' or 'irreversible'",
        ),
        (
            "workflows:\n  a: {models: []}\n",
            "models is [] (catalog.yaml:2, workflows.a): ",
        ),
        ("workflows:\n  a:\n", "a is None (catalog.yaml:2, workflows): give a mapping, {} for nothing to say"),
        (
            "tools:\n  t: {effect: delete}\n",
            "effect is 'delete' (catalog.yaml:2, tools.t): Input should be 'read', 'write' or",
        ),
        (
            "tools:\n  t:\n    effect: write\n    compensation: z\n",
            "'z' is no declared tool (catalog.yaml:4, tools.t): declare",
        ),
        (
            "workflows:\n  a: {}\n  a: {}\n",
            "key 'a' is given twice (catalog.yaml:3): keep one (the other is on line 2)",
        ),
        (
            "policies:\n- policy: p\n  version: 1\n",
            "'effective_at' is missing (catalog.yaml:2, policies[0]): required: policy,",
        ),
        (
            "policies:\n- policy: p\n  version: 1\n  effective_at: 2026-13-01\n",
            "(catalog.yaml:4, policies[0]): give a date or",
        ),
        (
            "workflows:\n  a:\n    drift:\n      streams: {pth: off}\n",
            "unknown key 'pth' (catalog.yaml:4, workflows.a.drift.streams)",
        ),
        ("components: {a: 1}\n", "components is {'a': '1'} (catalog.yaml:1): give a list of entries"),
        (
            "components:\n- {kind: tool, name: a, version: 1}\n- {kind: tool, name: a, version: 1}\n",
            "tool a 1 is declared twice (catalog.yaml:3, components): keep one entry (the first is components[0])",
        ),
        ("tools:\n  a: [\n", "not valid YAML (catalog.yaml:3)"),
        ("a: 1\n---\nb: 2\n", "not valid YAML (catalog.yaml:2)"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(write, text: str, expected: str) -> None:
    assert expected in message(write(text))


def test_an_absent_file_is_one_line(tmp_path: Path) -> None:
    assert message(tmp_path / "catalog.yaml").startswith("cannot read the catalog (catalog.yaml)")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "version: 1\n", "workflows: {}\n"])
def test_an_empty_catalog_gives_empty_tables_with_their_columns(write, text: str) -> None:
    tables = load_catalog(write(text)).tables()
    assert {name: (len(table), table.columns) for name, table in tables.items()} == {
        "catalog_workflows": (
            0,
            [
                "workflow", "owner", "team", "cost_center", "outcome_name", "outcome_window_hours",
                "budget_usd_per_month", "escalation_cost_usd", "rollback_objective_minutes", "containment",
                "baseline_release",
                "models", "effects_allowed", "drift", "formerly", "success_ratio_objective", "cost_per_success_usd_objective",
                "escalation_ratio_objective", "policy_adherence_ratio_objective",
            ],
        ),
        "catalog_tools": (0, ["tool_name", "effect", "cost_per_call_usd", "compensation", "certified"]),
        "catalog_components": (0, ["component_kind", "name", "version", "certified"]),
        "catalog_policies": (0, ["policy", "version", "effective_at"]),
        "catalog_budgets": (0, ["scope", "name", "budget_usd_per_month"]),
        "catalog_currencies": (0, ["currency", "effective_at", "usd_per_unit"]),
        "catalog_prices": (0, list(Rate._fields)),
    }  # fmt: skip
    assert load_catalog(write(text)) == Catalog()


def test_unknown_stays_null_and_versions_stay_text(write) -> None:
    path = write(
        "workflows:\n  desk: {team: ops}\n"
        "tools:\n  t: {cost_per_call_usd: 0}\n"
        "components:\n- {kind: prompt, name: greeting, version: 2.10}\n"
        "policies:\n- {policy: p, version: 007, effective_at: 2026-03-01T02:00:00+02:00}\n"
    )
    tables = load_catalog(path).tables()
    workflow = tables["catalog_workflows"].row(0, named=True)
    assert (workflow["team"], workflow["owner"], workflow["budget_usd_per_month"]) == ("ops", None, None)
    assert tables["catalog_tools"].row(0) == ("t", None, 0.0, None, False)
    assert tables["catalog_components"]["version"].item() == "2.10"
    assert tables["catalog_policies"]["version"].item() == "007"
    assert tables["catalog_policies"]["effective_at"].dtype == pl.Datetime("us")
    assert str(tables["catalog_policies"]["effective_at"].item()) == "2026-03-01 00:00:00"


def test_what_is_said_of_drift_is_stored_as_it_differs_from_the_default(write) -> None:
    path = write(
        "workflows:\n  a: {drift: {rules: {loop: {calls: 12}, unknown_tool: off, refused_again: on}}}\n"
        "  b: {models: [gpt-4.1], effects_allowed: [], drift: {rules: {loop: on}}}\n"
        "  c: {drift: {streams: {path: off, success: on}}}\n"
    )
    rows = load_catalog(path).tables()["catalog_workflows"].select("models", "effects_allowed", "drift").rows()
    said = '{"rules":{"loop":{"calls":12},"unknown_tool":{"enabled":false}}}'
    assert rows == [(None, None, said), (["gpt-4.1"], [], None), (None, None, '{"streams":{"path":false}}')]


def test_the_example_declares_the_simulated_fleet() -> None:
    catalog = load_catalog(EXAMPLE)
    policies = {(entry.policy, entry.version) for entry in catalog.policies}
    assert (INTAKE_POLICY, INTAKE_VERSION) in policies
    assert catalog.workflows.keys() == {template.name for template in TEMPLATES}
    for template in TEMPLATES:
        entry = catalog.workflows[template.name]
        assert (entry.team, entry.cost_center, entry.outcome_name) == (
            template.team,
            template.cost_center,
            template.outcome_name,
        )
        assert (template.policy, str(template.policy_version)) in policies
        for tool in template.tools:
            assert catalog.tools[tool.name].effect == tool.effect
            if tool.undoes:
                assert catalog.tools[tool.undoes].compensation == tool.name
