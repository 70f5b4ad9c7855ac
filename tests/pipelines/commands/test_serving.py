"""What the dashboard is given to answer incidents with: the API and its own token, none that may only read; else the home."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards import DashboardError
from pipelines.commands.desk import OwnDesk
from pipelines.commands.serving import desk_of
from pipelines.errors import TerminalError
from pipelines.settings import Settings

FIRST, SECOND = "0123456789abcdef" * 2, "fedcba9876543210" * 2
URL = "http://127.0.0.1:8060"


@pytest.mark.parametrize(
    "tokens",
    [f"dashboard operate {FIRST}", f"pager operate {FIRST}", f"pager read {SECOND}; dashboard operate {FIRST}"],
)
def test_the_token_named_dashboard_is_taken_or_the_only_one(tokens: str) -> None:
    desk = desk_of(Settings(api_url=URL, api_tokens=tokens))
    assert desk.url == URL


@pytest.mark.parametrize(
    "tokens",
    ["", f"dashboard read {FIRST}", f"pager operate {FIRST}; grafana read {SECOND}", f"pager read {FIRST}"],
)
def test_without_one_that_operates_the_dashboard_does_not_start(tokens: str) -> None:
    with pytest.raises(TerminalError, match=r"no token for the API .*role operate") as caught:
        desk_of(Settings(api_url=URL, api_tokens=tokens))
    assert FIRST not in str(caught.value)


def test_without_an_address_the_home_itself_is_written_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    desk = desk_of(Settings(home=tmp_path))
    assert isinstance(desk, OwnDesk) and desk.warehouse == tmp_path / "warehouse"
    with pytest.raises(DashboardError, match="in the clear"):
        desk_of(Settings(api_url="http://plumbline.example", api_tokens=f"dashboard operate {FIRST}"))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="can't be read"):
        desk_of(Settings(api_url=URL, api_token_file=tmp_path / "none"))
    file = tmp_path / "tokens"
    file.write_text(f"dashboard operate {FIRST}\n")
    with pytest.raises(TerminalError, match="use one"):
        desk_of(Settings(api_url=URL, api_token_file=file, api_tokens=f"dashboard operate {FIRST}"))
