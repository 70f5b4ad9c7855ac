"""The bridge from what one success cost before to what it costs now: a bar per factor, each from where the last one ended."""

from __future__ import annotations

from dashboards import text
from dashboards.bridging import Moved
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BLUE, GREEN, GREY, RULE, VERMILLION, bare, rows_axis


def waterfall(found: Moved, before_name: str, now_name: str) -> Figure:
    """Rows from top to bottom: before, each factor that moved anything, now.

    Parameters
    ----------
    found : Moved
    before_name, now_name : str
        The two periods in words.
    """
    parts = found.shown
    figure = bare(64 + 30 * (len(parts) + 2), bargap=0.34, margin={"l": 8, "r": 18, "t": 8, "b": 8})
    names = [f"Before: {before_name}", *(part.factor for part in parts), f"Now: {now_name}"]
    starts, lengths, colours, patterns, said = [0.0], [found.before], [GREY], [""], [text.usd(found.before)]
    at = found.before
    for part in parts:
        starts.append(at)
        lengths.append(part.moved)
        dearer = part.moved > 0
        colours.append(VERMILLION if dearer else GREEN)
        patterns.append("/" if dearer else "")
        said.append(f"{'+' if dearer else '−'}{text.usd(abs(part.moved))}")
        at += part.moved
    starts.append(0.0)
    lengths.append(found.after)
    colours.append(BLUE)
    patterns.append("")
    said.append(text.usd(found.after))
    figure.add_bar(
        y=list(range(len(names))),
        x=lengths,
        base=starts,
        orientation="h",
        marker={
            "color": colours,
            "line": {"width": 0},
            "pattern": {"shape": patterns, "fgcolor": "rgba(255,255,255,0.5)", "size": 6, "solidity": 0.22},
        },
        customdata=[[text.label(name), what] for name, what in zip(names, said, strict=True)],
        hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b> per success<extra></extra>",
    )
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    high = max([*starts, *ends])
    for index, what in enumerate(said):
        figure.add_annotation(
            text=what,
            x=max(starts[index], ends[index]),
            y=index,
            xanchor="left",
            xshift=6,
            showarrow=False,
            font={"size": 12},
        )
    rows_axis(figure, [text.label(name, 30) for name in names])
    # Where little moved beside what it costs, the bars begin near it: what matters is the difference.
    low = min([*ends, *starts[1:-1]])
    spread = high - low
    start = max(low - 0.6 * spread, 0.0) if spread < 0.35 * high else 0.0
    figure.update_xaxes(
        tickprefix="$", showgrid=True, gridcolor=RULE, nticks=5, range=[start, high + 0.36 * (high - start)]
    )
    return figure
