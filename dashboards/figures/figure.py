"""A figure as plain values, in the words of Plotly's own objects, which check every property of every trace each time.

That check took a third of a page's time. `tests/dashboards/test_figures.py` does it once, for the figures of every page: it makes
a `plotly.graph_objects.Figure` of each, which refuses what Plotly does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Figure:
    """Traces and a layout, as plotly.js takes them; a property that is None is left out.

    Parameters
    ----------
    layout : mapping
        The figure's own to change; what is nested in it is not touched.

    Attributes
    ----------
    data : list of dict
        Traces.
    layout : dict
    """

    def __init__(self, layout: Mapping[str, Any]) -> None:
        self.data: list[dict[str, Any]] = []
        self.layout = _given(layout)

    def add_scatter(self, **trace: Any) -> None:
        """Add points and lines."""
        self._add("scatter", trace)

    def add_bar(self, **trace: Any) -> None:
        """Add bars."""
        self._add("bar", trace)

    def add_heatmap(self, **trace: Any) -> None:
        """Add cells."""
        self._add("heatmap", trace)

    def add_shape(self, **shape: Any) -> None:
        """Add a line or a rectangle."""
        self.layout.setdefault("shapes", []).append(_given(shape))

    def add_annotation(self, **annotation: Any) -> None:
        """Add a text."""
        self.layout.setdefault("annotations", []).append(_given(annotation))

    def update_layout(self, **layout: Any) -> None:
        """Set properties of the layout, each as a whole."""
        self.layout = _given({**self.layout, **layout})

    def update_xaxes(self, **axis: Any) -> None:
        """Set properties of the x axis."""
        self.layout["xaxis"] = _given({**self.layout.get("xaxis", {}), **axis})

    def update_yaxes(self, **axis: Any) -> None:
        """Set properties of the y axis."""
        self.layout["yaxis"] = _given({**self.layout.get("yaxis", {}), **axis})

    def to_dict(self) -> dict[str, Any]:
        """Data and layout, as a graph takes them."""
        return {"data": self.data, "layout": self.layout}

    def _add(self, kind: str, trace: Mapping[str, Any]) -> None:
        self.data.append({"type": kind, **_given(trace)})


def _given(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None}
