"""Every page, in the order of the tabs. A new page is a module beside this one that ends with its `PAGE`, and a line here."""

from __future__ import annotations

from dashboards.pages import cost, drift, figures, policy, releases, reuse, rollback, runs, scorecard, tools
from dashboards.pages.asked import Page

PAGES: tuple[Page, ...] = (
    scorecard.PAGE,
    cost.PAGE,
    drift.PAGE,
    releases.PAGE,
    tools.PAGE,
    policy.PAGE,
    reuse.PAGE,
    rollback.PAGE,
    runs.PAGE,
    figures.PAGE,
)

BY_PATH = {page.path: page for page in PAGES}

# Filters that only one page reads.
OF_ONE_PAGE = tuple(sorted({name for page in PAGES for name in page.keeps}))
