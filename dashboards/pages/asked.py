"""What a page is asked for, and what a page is: the contract between the app, the export and the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from dashboards import text
from dashboards.data import Reader, View
from dashboards.elements import html
from dashboards.filters import Filters


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a page may use.

    Parameters
    ----------
    view : View
        What most pages show, under the filters of the address.
    reader : Reader
        Reads what else the page needs: ``reader.rows("name of a query", parameters)``.
    is_report : bool
        A static file: nothing can be opened, so what matters is shown at once.
    can_act : bool
        Whether the reader may answer incidents.
    has_names : bool
        Whether people sign in: then an answer is noted under that name, and nobody types one.
    """

    view: View
    reader: Reader
    is_report: bool = False
    can_act: bool = False
    has_names: bool = False

    @property
    def filters(self) -> Filters:
        """The filters of the address."""
        return self.view.filters

    @property
    def whole(self) -> str:
        """Whose the totals of a page without a chosen workflow or team are, for a viewer of some teams; else nothing."""
        teams = self.reader.teams
        if not teams or self.filters.workflow or self.filters.team:
            return ""
        shown = ", ".join(text.plain(team, 32) for team in teams[:4])
        more = f" and {len(teams) - 4} more" if len(teams) > 4 else ""
        return f"All workflows of your {'team' if len(teams) == 1 else 'teams'} {shown}{more}"


def _scope_of_view(view: View) -> list[str]:
    return view.scope()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the dashboard.

    Parameters
    ----------
    path : str
        Address, starting with ``/``.
    title : str
        Heading.
    tab : str
        Short name in the bar.
    content : callable
        `Asked` → the page below its heading. Only elements, links, graphs and downloads, so that the export can write it.
    scope : callable
        View → lines under the heading that say what the page covers.
    file : str
        Name of the page's file in the static export.
    keeps : tuple of str
        Filters that mean something on this page alone; links to other pages leave them out.
    files : dict
        Name of a file → the rows that it holds, for what can be taken along (`dashboards.downloads`).
    is_tab : bool
        Whether it has a tab; another is reached from the footer.
    is_live : bool
        Whether it shows incidents, signals or deliveries, which change between refreshes.
    """

    path: str
    title: str
    tab: str
    content: Callable[[Asked], html.Div]
    file: str
    scope: Callable[[View], list[str]] = field(default=_scope_of_view)
    keeps: tuple[str, ...] = ()
    files: Mapping[str, Callable[[Asked], pl.DataFrame]] = field(default_factory=dict)
    is_tab: bool = True
    is_live: bool = False
