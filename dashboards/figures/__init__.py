"""Figures: pure functions, frame in, `plotly.graph_objects.Figure` out; the app and the static export show the same ones."""
