"""JSON of parts of pages: what Plotly's own encoder writes, and nothing that is no part of a page."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest
from dash import dcc, html
from plotly.utils import PlotlyJSONEncoder

from dashboards.encoded import encoded
from dashboards.pages.parts import attributes


def test_a_part_is_written_as_plotly_writes_it() -> None:
    figure = {
        "data": [{"type": "scatter", "x": [datetime(2026, 3, 2, 4, 5, 6, 70), date(2026, 3, 2)], "y": [0.1, None]}],
        "layout": {"height": 3, "title": "größer <b>"},
    }
    part = [
        html.Div(
            [html.Span("a", title="t", **attributes(data_label="x", aria_label="y")), None, 3, True], className="c"
        ),
        dcc.Graph(figure=figure, responsive=True),
        (np.float64(0.25), np.int64(7), Decimal("0.5")),
        {"n": math.nan},
    ]
    assert json.loads(encoded(part)) == json.loads(json.dumps(part, cls=PlotlyJSONEncoder).replace("NaN", "null"))


def test_what_is_no_part_of_a_page_is_refused() -> None:
    with pytest.raises(TypeError):
        encoded([object()])
