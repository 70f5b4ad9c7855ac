"""Dashboards: queries on the marts → frames → figures → pages, served by Dash or written as self-contained HTML."""

from dashboards.app import create_app
from dashboards.errors import DashboardError
from dashboards.export import export
from dashboards.server import serve

__all__ = ["DashboardError", "create_app", "export", "serve"]
