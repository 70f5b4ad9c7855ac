"""Pages: a `dashboards.data.View` in, Dash components out; the app shows them and the static export writes them as HTML."""
