"""Whether everything is watched, on the drift page: of each workflow and family, how many detectors' streams are ready."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from dashboards import text, words
from dashboards.elements import dcc, html
from dashboards.figures.theme import FAMILIES
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Child, Column, card, meter, stack, table

_TITLE = "Is everything watched?"
# More workflows than this need a filter; so do more metrics of one.
_MOST, _MOST_METRICS = 40, 40
_COUNTS = ("needs_data", "warming_up", "watching", "alarmed", "retired")


@dataclass(slots=True)
class Streams:
    """Numbers of streams; `off` names the metrics that the catalog switches off, whose streams are not among the others."""

    needs_data: int = 0
    warming_up: int = 0
    watching: int = 0
    alarmed: int = 0
    retired: int = 0
    off: list[str] = field(default_factory=list)

    @property
    def living(self) -> int:
        """All but those that are retired or switched off."""
        return self.needs_data + self.warming_up + self.watching + self.alarmed

    @property
    def ready(self) -> int:
        """Those that would tell, or have told."""
        return self.watching + self.alarmed


def counted(rows: Iterable[dict]) -> Streams:
    """The sum over rows of ``queries/detector_streams.sql``."""
    found = Streams()
    for row in rows:
        if row["is_off"]:
            found.off.append(row["metric"])
        for name in _COUNTS if not row["is_off"] else ("retired",):
            setattr(found, name, getattr(found, name) + (row[name] or 0))
    return found


def watched(asked: Asked) -> html.Section:
    """The card: a row per workflow with its families; for one workflow also the metrics that are not watched."""
    if not asked.reader.has("detector_streams"):
        return _empty("This warehouse does not say yet: the next ", html.Code("plumbline stream"), " notes it.")
    rows = asked.reader.rows("detector_streams", [asked.filters.workflow])
    if rows["noted_at"].drop_nulls().is_empty():
        return _empty(
            "No stream of the detectors is noted"
            + (f" for {text.plain(asked.filters.workflow)}" if asked.filters.workflow else "")
            + ". They note it as they work: run ",
            html.Code("plumbline stream"),
            ".",
        )
    by_workflow = {name: part.to_dicts() for (name,), part in rows.partition_by("workflow", as_dict=True).items()}
    # Those that are watched least first: whoever looks here asks what is missing.
    ranked = sorted(by_workflow, key=lambda name: (_share(counted(by_workflow[name])), name))
    whole = counted(rows.to_dicts())
    return card(
        _TITLE,
        table(
            _columns(),
            [_row(asked, name, by_workflow[name]) for name in ranked[:_MOST]],
            caption="Streams of the detectors by workflow and family, those watched least first",
            kind="cards",
        ),
        _metrics(by_workflow[ranked[0]]) if asked.filters.workflow else None,
        key="streams_ready",
        coverage=f"{text.count(whole.ready)} of {text.count(whole.living)} streams watch",
        lead=_lead(asked, rows, whole, set(by_workflow), len(ranked) - _MOST),
        wide=True,
    )


def _columns() -> tuple[Column, ...]:
    families = (Column(title) for title, *_ in FAMILIES.values())
    return (Column("Workflow"), Column("Watching"), *families, Column("Off / retired"))


def _lead(asked: Asked, rows: pl.DataFrame, whole: Streams, known: set[str], hidden: int) -> str:
    at = rows["noted_at"].max()
    said = f"{text.count(whole.ready)} of {text.count(whole.living)} streams watch"
    waiting = [_said(whole.warming_up, "warming_up"), _said(whole.needs_data, "needs_data")]
    said += "".join(f", {part}" for part in waiting if part) + f"; last change {text.when(at)}."  # type: ignore[arg-type]
    lacking = [name for name in asked.view.extent.workflows if name not in known]
    if not asked.filters.workflow and lacking:
        shown = ", ".join(text.plain(name, 28) for name in lacking[:3])
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        said += f" Without any stream, because nothing came for long or a run has yet to close: {shown}{more}."
    if hidden > 0:
        said += f" {hidden} more workflows are in table detector_streams."
    return said


def _share(streams: Streams) -> float:
    return streams.ready / streams.living if streams.living else 0.0


def _said(number: int, state: str) -> str:
    verb = {
        "warming_up": ("warms up", "warm up"),
        "needs_data": ("needs data", "need data"),
        "alarmed": ("has alarmed", "have alarmed"),
    }[state]
    return f"{text.count(number)} {verb[number != 1]}" if number else ""


def _row(asked: Asked, name: str, rows: list[dict]) -> list[Child]:
    own = counted(rows)
    ready = f"{text.count(own.ready)} of {text.count(own.living)}"
    link = dcc.Link(
        text.plain(name, 40),
        href="/drift" + asked.filters.search(workflow=name, incident=None, family=None, state=None),
        className="name",
    )
    return [
        link,
        html.Div(
            [
                html.Span(ready),
                meter(
                    own.ready / own.living if own.living else None,
                    f"{ready} streams watch",
                    "warn" if own.ready < own.living else "",
                ),
            ],
            className="stack",
        ),
        *(_cell(counted(row for row in rows if row["family"] == family)) for family in FAMILIES),
        _gone(own),
    ]


def _cell(streams: Streams) -> Child:
    if not streams.living:
        return text.UNKNOWN
    waiting = [_said(getattr(streams, state), state) for state in ("needs_data", "warming_up", "alarmed")]
    return stack(f"{text.count(streams.ready)} of {text.count(streams.living)}", ", ".join(filter(None, waiting)))


def _gone(streams: Streams) -> Child:
    off = f"{len(streams.off)} off" if streams.off else ""
    retired = f"{text.count(streams.retired)} retired" if streams.retired else ""
    if not off and not retired:
        return text.UNKNOWN
    return stack(", ".join(filter(None, (off, retired))), ", ".join(text.plain(each, 30) for each in streams.off[:3]))


_METRIC_COLUMNS = (
    Column("Metric"),
    Column("Family"),
    Column("Needs data", True),
    Column("Warming up", True),
    Column("Watching", True),
    Column("Retired", True),
    Column("What to do"),
)


def _metrics(rows: list[dict]) -> html.Div | None:
    """The metrics of one workflow of which not every stream watches."""
    lacking = [row for row in rows if row["is_off"] or row["needs_data"] or row["warming_up"] or row["retired"]]
    if not lacking:
        return None
    lacking.sort(key=lambda row: (not row["needs_data"], row["is_off"], row["metric"]))
    told = [
        [
            stack(words.metric({"metric": row["metric"], "dimension": ""}), text.plain(row["metric"], 40)),
            FAMILIES[row["family"]][0] if row["family"] in FAMILIES else text.UNKNOWN,
            *(
                text.count(row[name]) if row[name] is not None else text.UNKNOWN
                for name in _COUNTS
                if name != "alarmed"
            ),
            _todo(row),
        ]
        for row in lacking[:_MOST_METRICS]
    ]
    return table(_METRIC_COLUMNS, told, caption="Metrics of which not every stream watches", kind="cards")


def _todo(row: dict) -> str:
    if row["is_off"]:
        return "The catalog switches it off: drift, streams"
    if row["needs_data"]:
        return "Wait for 30 units; if none come, the traces lack what it needs (docs/drift.md, Streams)"
    return "Nothing: it learns what is usual" if row["warming_up"] else "Nothing: it begins anew if it comes back"


def _empty(*said: html.Code | str) -> html.Section:
    return card(_TITLE, html.P(list(said), className="under"), key="streams_ready", wide=True)
