"""Reports of a home, published: a directory per moment below ``HOME/reports``, the newest ones kept.

A report is written beside its place and moved there whole, so that a directory with a moment's name is always complete.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from dashboards.errors import DashboardError
from dashboards.export import export

REPORTS = "reports"

_FORM = "%Y-%m-%dT%H%M%SZ"
_NAMED = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_UNFINISHED = ".unfinished"


def publish(home: Path, *, keep: int, at: datetime | None = None) -> tuple[Path, list[Path]]:
    """The new directory of reports, and those that were deleted because `keep` newer ones are there.

    Parameters
    ----------
    home : Path
        Plumbline's home.
    keep : int
        Directories of reports to keep, 1 or more; anything of another name is left alone.
    at : datetime | None
        The moment that names the directory (UTC); None is now.

    Raises
    ------
    DashboardError
        If there is nothing to report yet, or the home can't be written.
    """
    folder = home / REPORTS
    name = (at or datetime.now(UTC)).strftime(_FORM)
    unfinished = folder / f"{_UNFINISHED}-{name}"
    try:
        for left in folder.glob(f"{_UNFINISHED}-*"):  # of a run that was killed
            shutil.rmtree(left)
        export(home, unfinished)
        shutil.rmtree(folder / name, ignore_errors=True)  # the same moment again: the same report again
        unfinished.replace(folder / name)
        old = sorted((each for each in folder.iterdir() if _NAMED.fullmatch(each.name)), reverse=True)[max(keep, 1) :]
        for each in old:
            shutil.rmtree(each)
    except OSError as error:
        raise DashboardError("the reports can't be published", str(folder), str(error)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder / name, old
