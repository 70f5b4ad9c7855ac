"""What a check found, as a page for people: ``HOME/checks/<check>.html``, the latest of each check.

Examples come from traces: they are escaped, and the page may neither load nor run anything.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pipelines.defs.expectations import Finding

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}: {verdict}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ccc; }}
td {{ overflow-wrap: anywhere; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
tr.broken td {{ background: #fdecea; }}
</style>
<h1>{title}: {verdict}</h1>
<p>{description}</p>
<p>{summary} Looked at {at} UTC, snapshot {snapshot} of the lake. {consequence}</p>
<table>
<thead><tr><th>Holds</th><th>Expected</th><th>Observed</th><th>Rows that break it</th><th>First of them</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""
_ROW = (
    '<tr class="{state}"><td>{holds}</td><td>{rule}</td><td>{observed}</td><td class="number">{bad_rows:,}</td>'
    "<td>{examples}</td></tr>"
)


def report_path(home: Path, check: str) -> Path:
    """Where the page of a check is; its name is one of ours."""
    return home / "checks" / f"{check}.html"


def write_report(
    home: Path,
    check: str,
    findings: Sequence[Finding],
    *,
    description: str,
    is_blocking: bool,
    at: datetime,
    snapshot: int,
) -> Path:
    """Put the page in place of the check's last one, and return its path.

    Parameters
    ----------
    home : Path
        The home whose warehouse was looked at.
    check : str
        The check's name.
    findings : sequence of Finding
        What became of its expectations; the broken ones come first on the page.
    description : str
        What the check is about.
    is_blocking : bool
        Whether marts wait for it.
    at : datetime
        When it was made, UTC.
    snapshot : int
        The lake's snapshot that it looked at.
    """
    broken = sum(not finding.passed for finding in findings)
    file = report_path(home.absolute(), check)
    file.parent.mkdir(parents=True, exist_ok=True)
    page = _PAGE.format(
        title=html.escape(check),
        verdict="failed" if broken else "passed",
        description=html.escape(description),
        summary=f"{broken} of {len(findings)} expectations broken."
        if broken
        else f"All {len(findings)} expectations hold.",
        at=f"{at:%Y-%m-%d %H:%M:%S}",
        snapshot=snapshot,
        consequence=(
            "The marts behind it keep their last good rows." if is_blocking else "It warns, and holds back nothing."
        )
        if broken
        else "",
        rows="\n".join(
            _ROW.format(
                state="kept" if finding.passed else "broken",
                holds="yes" if finding.passed else "no",
                rule=html.escape(finding.rule),
                observed=html.escape(finding.observed),
                bad_rows=finding.bad_rows,
                examples=html.escape(finding.examples),
            )
            for finding in sorted(findings, key=lambda finding: finding.passed)
        ),
    )
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(page, encoding="utf-8")
    new.replace(file)
    return file
