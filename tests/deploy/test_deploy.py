"""What an operator loads elsewhere: rules and dashboard name metrics that there are, in PromQL that Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.api.standing import Standing
from pipelines.metrics import Metrics
from warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/plumbline.rules.yml"
SCRAPE = ROOT / "deploy/prometheus/prometheus.example.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/plumbline.json").read_text(encoding="utf-8"))
METRIC = re.compile(r"\b(?:plumbline|process)_[a-z_]+\b")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of every sample that a worker or the API may give."""
    home = tmp_path_factory.mktemp("home")
    with Warehouse.open(home / "warehouse") as warehouse:
        families = [*Metrics().registry.collect(), *Standing(warehouse, home).describe()]
        told = {family.name for family in Standing(warehouse, home).collect()}
        assert told <= {family.name for family in families}
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def expressions() -> dict[str, str]:
    """PromQL of every panel and rule by where it stands."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found = {rule["alert"]: rule["expr"] for group in rules for rule in group["rules"]}
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


def test_every_metric_named_is_there(known: set[str]) -> None:
    named = {where: set(METRIC.findall(text)) for where, text in expressions().items()}
    assert len(named) > 30
    assert not {where: names - known for where, names in named.items() if names - known}


def test_every_metric_is_described_in_the_documentation(known: set[str]) -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    described = set(METRIC.findall(text))
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known if name.startswith("plumbline_")}
    assert bases == {name for name in described if name.startswith("plumbline_")}


def test_every_rule_says_how_grave_what_and_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
            assert rule["annotations"]["summary"] and rule["annotations"]["todo"], rule["alert"]


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["title"] and "id" not in DASHBOARD
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
            assert all(each["datasource"]["uid"] == "${datasource}" for each in [panel, *panel["targets"]])
    assert {each["name"] for each in DASHBOARD["templating"]["list"]} == {"datasource", "job"}


def promtool(*arguments: str | Path) -> str:
    """What promtool says of something that is right."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_rules_and_the_configuration() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", SCRAPE)


def test_each_rule_fires_on_its_trouble_and_only_then() -> None:
    tests = ROOT / "tests/deploy/rules.test.yml"
    assert "SUCCESS" in promtool("test", "rules", tests)
    rules = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    cases: list[dict[str, Any]] = yaml.safe_load(tests.read_text())["tests"]
    (wrong,) = [each["promql_expr_test"][0]["exp_samples"] for each in cases if "promql_expr_test" in each]
    assert {re.findall(r'"(\w+)"', each["labels"])[0] for each in wrong} == rules
    assert {each["alertname"] for each in cases[0]["alert_rule_test"]} == rules


def test_prometheus_reads_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    texts = {where: text for where, text in expressions().items() if not where.startswith("Plumbline")}
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m").replace("$job", ".*")}
        for number, text in enumerate(texts.values())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)
