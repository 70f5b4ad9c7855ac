"""A trend the size of a word, as an SVG picture: dozens of them cost nothing, where dozens of graphs would."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from dashboards.figures.theme import BLUE, GREY


def sparkline(values: Sequence[float | None], *, split: int = 0, width: int = 120, height: int = 28) -> str:
    """A ``data:`` address of the picture; empty text when there are fewer than two known values.

    Parameters
    ----------
    values : sequence of float | None
        In time order; None leaves a gap.
    split : int
        Index of the first point of the current period; points before it are drawn in grey.
    width, height : int
        Pixels.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    pad = 4.0
    step = (width - 2 * pad) / max(len(values) - 1, 1)
    scale = (height - 2 * pad) / (high - low) if high > low else 0.0
    middle = height / 2

    def point(index: int, value: float) -> str:
        y = height - pad - (value - low) * scale if scale else middle
        return f"{pad + index * step:.1f},{y:.1f}"

    places = [None if value is None else point(index, value) for index, value in enumerate(values)]
    lines = [_line(part, GREY, 1.25) for part in _unbroken(places[: split + 1])] if split else []
    lines += [_line(part, BLUE, 1.75) for part in _unbroken(places[split:])]
    last = next(place for place in reversed(places) if place)
    x, y = last.split(",")
    lines.append(f'<circle cx="{x}" cy="{y}" r="2.4" fill="{BLUE}"/>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"{''.join(lines)}</svg>"
    )
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _unbroken(places: Sequence[str | None]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for place in places:
        if place is None:
            parts.append([])
        else:
            parts[-1].append(place)
    return [part for part in parts if part]


def _line(points: Sequence[str], colour: str, width: float) -> str:
    return (
        f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round" '
        f'points="{" ".join(points)}"/>'
    )
