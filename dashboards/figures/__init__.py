"""Figures: pure functions, frame in, `dashboards.figures.figure.Figure` out; the app and the static export show the same ones."""
