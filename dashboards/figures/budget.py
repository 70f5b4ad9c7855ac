"""A month's spend as a running sum, with the fan of where it will land, and the budget as a line."""

from __future__ import annotations

from datetime import timedelta

from dashboards import text
from dashboards.budgeting import Month
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BAND, BLUE, VERMILLION, bare, note, time_axis


def fan(month: Month, budget: float | None = None, *, height: int = 300) -> Figure:
    """Spent so far as a line, expected as a dashed one, its 90 % interval as a band that opens to the month's end.

    Parameters
    ----------
    month : Month
    budget : float | None
        Of the month, in US dollars; None draws none.
    """
    figure = bare(height, hovermode="x")
    day = timedelta(days=1)
    spent_at = [each + day for each in month.days[:-1]]
    spent = list(month.spent[:-1])
    begin = [month.days[0], *spent_at]
    line = [0.0, *spent]
    ahead = [begin[-1], *(each + day for each in month.ahead)]
    if month.ahead:
        low, high = [line[-1], *month.low], [line[-1], *month.high]
        figure.add_scatter(
            x=ahead + ahead[::-1],
            y=high + low[::-1],
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=ahead[1:],
            y=list(month.expected),
            mode="lines",
            line={"color": BLUE, "width": 2, "dash": "dot"},
            customdata=[
                [text.usd(value), text.usd(lowest), text.usd(highest), f"{at.day} {at:%b}"]
                for value, lowest, highest, at in zip(month.expected, month.low, month.high, month.ahead, strict=True)
            ],
            hovertemplate="expected by the end of %{customdata[3]}: <b>%{customdata[0]}</b>"
            "<br>90 % interval %{customdata[1]} to %{customdata[2]}<extra></extra>",
        )
    figure.add_scatter(
        x=begin,
        y=line,
        mode="lines+markers",
        line={"color": BLUE, "width": 2.25},
        marker={"size": 5, "color": BLUE},
        customdata=[[text.usd(value)] for value in line],
        hovertemplate="spent: <b>%{customdata[0]}</b><extra></extra>",
    )
    top = max([*month.high, *month.spent])
    if budget is not None:
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            y0=budget,
            y1=budget,
            line={"color": VERMILLION, "width": 1.5, "dash": "dash"},
        )
        note(figure, f"budget {text.usd(budget)}", x=0, xref="paper", y=budget, xanchor="left", yanchor="bottom")
        # A budget far above all that is spent would flatten the figure: then the note beside it says so.
        top = max(top, budget)
    figure.update_yaxes(tickprefix="$", nticks=5, range=[0, 1.14 * top or 1])
    time_axis(figure, month.first, month.last + day)  # type: ignore[arg-type]
    figure.update_xaxes(tickformat="%-d %b")
    return figure
