"""Pictures of every page: where a directory is named they are left there, to be looked at after a build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dashboards.pages.registry import PAGES
from dashboards.screenshot import SHOTS, chromium, shoot

WANTED = os.environ.get("PLUMBLINE_SCREENSHOTS", "")


def test_each_page_with_a_tab_has_a_picture_wide_and_on_a_phone() -> None:
    taken = {(shot.path.partition("?")[0], shot.width < 480) for shot in SHOTS}
    assert {(page.path.lstrip("/"), phone) for page in PAGES if page.is_tab for phone in (False, True)} <= taken


def test_the_names_of_pictures_differ() -> None:
    assert len({shot.name for shot in SHOTS}) == len(SHOTS)


@pytest.mark.browser
@pytest.mark.skipif(not WANTED, reason="PLUMBLINE_SCREENSHOTS names no directory")
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: apt-get install chromium")
def test_pictures_are_left_where_they_are_wanted(streamed_home: Path) -> None:
    files = shoot(streamed_home, Path(WANTED))
    names = {shot.name for shot in SHOTS} | {"sign-in"}
    assert {file.stem for file in files} == names and all(file.stat().st_size > 10_000 for file in files)
