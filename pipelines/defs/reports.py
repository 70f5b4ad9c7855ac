"""The job that publishes the dashboard's pages as files: ``HOME/reports/MOMENT/*.html``, the newest `reports_kept` of them."""

# No postponed annotations: Dagster reads the types of the arguments as they are.

from pathlib import Path

import dagster as dg
from pydantic import Field

from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.settings import load_settings


class Published(dg.Config):
    """Whose reports."""

    home: str = Field(default="", description="Home directory; empty: PLUMBLINE_HOME, plumbline.toml or .plumbline.")


@dg.op(
    retry_policy=RETRIES,
    description="Writes one self-contained HTML file per page; deletes all but the newest `reports_kept` of the settings.",
)
def publish_reports(context: dg.OpExecutionContext, config: Published) -> None:
    """Publish; where the files are, their number and size become the step's metadata."""
    from dashboards.publishing import publish  # here: Plotly and Dash are no part of what else Dagster loads

    settings = load_settings()
    with only_when_busy():
        folder, deleted = publish(Path(config.home) if config.home else settings.home, keep=settings.reports_kept)
    files = sorted(folder.iterdir())
    context.add_output_metadata(
        {
            "reports": dg.MetadataValue.path(str(folder)),
            "files": len(files),
            "bytes": sum(file.stat().st_size for file in files),
            "deleted": len(deleted),
        }
    )


@dg.job(description="Publishes the dashboard's pages as files that need no server; old ones are deleted.")
def reports() -> None:
    """Run `publish_reports`."""
    publish_reports()
