"""The static export: whole pages that load nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from dash import dcc, html

from dashboards import DashboardError, export
from dashboards.export import FILES, Writer
from dashboards.filters import Filters
from pipelines.cli import main


@pytest.fixture(scope="module")
def written(home: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export(home, tmp_path_factory.mktemp("export") / "new")


class Loads(HTMLParser):
    """Addresses that a page would load or lead to, and its inline scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [str(given[name]) for name in ("src", "srcset", "action", "poster", "data") if given.get(name)]
        if tag == "link":
            self.loads.append(str(given.get("href")))
        if tag == "a":
            self.links.append(str(given.get("href")))
        self._is_script = tag == "script" and given.get("type") != "application/json"
        if self._is_script:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False


def test_one_file_per_page(written: list[Path]) -> None:
    assert [path.name for path in written] == list(FILES.values())


def test_nothing_is_loaded_and_every_script_is_allowed_by_its_hash(written: list[Path]) -> None:
    for path in written:
        text = path.read_text(encoding="utf-8")
        page = Loads()
        page.feed(text)
        assert all(address.startswith("data:image/svg+xml") for address in page.loads)
        own = ("data:text/csv;", "data:application/vnd.apache.parquet;")
        assert all(link.startswith(own) or link.partition("#")[0] in ("", *FILES.values()) for link in page.links)
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        assert policy is not None and "default-src &#x27;none&#x27;" in policy.group(1)
        assert len(page.scripts) in (3, 5)  # theme, zone and frame; plotly.js and what draws where there are figures
        for script in page.scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert digest in policy.group(1)


def test_plotly_is_inlined_once(written: list[Path]) -> None:
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert text.count("plotly.js v") == ('id="figure-0"' in text)


def test_text_cannot_end_the_script_or_become_an_element() -> None:
    writer = Writer()
    attack = "</script><script>alert(1)</script>"
    out = writer.html(html.Div([attack, html.Span(attack, title=attack), dcc.Link(attack, href="javascript:alert(1)")]))
    assert "<script" not in out and "javascript:" not in out


def test_only_the_chosen_workflow_is_reported(home: Path, tmp_path: Path) -> None:
    paths = export(home, tmp_path, filters=Filters(workflow="it-helpdesk"))
    text = paths[0].read_text(encoding="utf-8")
    assert "it-helpdesk" in text and "claims-triage" not in text


def test_the_command_takes_the_filters_of_the_address_and_each_page_says_so(home: Path, tmp_path: Path) -> None:
    given = ["--period", "3d", "--environment", "production", "--team", "support", "--workflow", "it-helpdesk"]
    out = tmp_path / "chosen"
    assert main(["--home", str(home), "dashboard", "export", str(out), *given, "--release", "2.4.0"]) == 0
    asked = Filters(period="3d", environment="production", team="support", workflow="it-helpdesk", release="2.4.0")
    for path in export(home, tmp_path / "same", filters=asked):
        assert (out / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
    scorecard = (out / "scorecard.html").read_text(encoding="utf-8")
    assert "Only environment production, team support, workflow it-helpdesk, release 2.4.0." in scorecard
    assert "Last 3 days" in scorecard and "customer-refunds" not in scorecard


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("workflow", "it-helpdsk", "no workflow 'it-helpdsk'.*use one of it-helpdesk"),
        ("environment", "live", "no environment 'live'.*use one of production, staging"),
        ("team", "<b>", "no team '<b>'.*use one of claims"),
        ("release", "9", "no release '9'.*use one of 2.4.0"),
        ("period", "4d", "no period '4d'.*use one of .*7d"),
    ],
)
def test_a_filter_that_nothing_meets_is_refused_with_what_there_is(
    home: Path, tmp_path: Path, name: str, value: str, said: str
) -> None:
    with pytest.raises(DashboardError, match=said):
        export(home, tmp_path / "none", filters=Filters(**{name: value}))
    assert not (tmp_path / "none").exists()


def test_an_empty_home_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="plumbline stream"):
        export(tmp_path, tmp_path / "out")


def test_a_directory_that_can_not_be_written_is_one_clear_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DashboardError, match="can't be written"):
        export(home, tmp_path / "taken")
