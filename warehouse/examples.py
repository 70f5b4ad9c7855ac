"""Examples of values for the data dictionary, taken from the warehouse of a simulated fleet.

``python -m warehouse.examples HOME/warehouse`` adds what ``examples.csv`` lacks and drops what is documented no more; what stands
there is kept. Never give it a warehouse of real traces: the file is published.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from warehouse.describing import EXAMPLES, describe, examples
from warehouse.dictionary import relations
from warehouse.errors import WarehouseError
from warehouse.reader import Reader

_LONGEST = 48


def complete(warehouse: Path) -> list[tuple[str, str]]:
    """Write the file anew; return the columns for which that warehouse has no value either, to be written by hand."""
    known, lacking = examples(), []
    with Reader(warehouse) as reader, EXAMPLES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("table", "column", "example"))
        for relation in relations():
            try:
                rows = describe(reader, relation)
            except WarehouseError:
                rows = None
            found = dict(rows.select("column", "example").iter_rows()) if rows is not None else {}
            for name in relation.columns:
                value = known.get((relation.name, name)) or " ".join(found.get(name, "").split())
                if not value:
                    lacking.append((relation.name, name))
                writer.writerow((relation.name, name, value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"))
    return lacking


if __name__ == "__main__":
    for table, column in complete(Path(sys.argv[1])):
        print(f"{EXAMPLES.name}: no example of {table}.{column}")
