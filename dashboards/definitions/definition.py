"""What a definition of a figure holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """How one figure is computed.

    Parameters
    ----------
    name : str
        As the page calls it.
    meaning : str
        One plain sentence.
    formula : str
    unit : str
    excludes : str
        What is left out, or what makes it unknown.
    source : str
        Tables in the warehouse, parted by commas; ``plumbline sql`` reads the same.
    """

    name: str
    meaning: str
    formula: str
    unit: str
    excludes: str
    source: str

    @property
    def tables(self) -> list[str]:
        """The tables of `source`."""
        return [name.strip() for name in self.source.split(",") if name.strip()]
