"""The reader of what a viewer may see: the one way from a request to the warehouse."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from dashboards.access.scope import Scope
from dashboards.access.viewer import LOCAL, Viewer
from dashboards.data import Reader

# Each holds a connection; of more scopes than this the one least looked at is opened again when it is asked for.
_MOST_SCOPES = 8


class Readers:
    """A reader of everything, and one for each set of teams that somebody asked for.

    Parameters
    ----------
    home : Path
        Plumbline's home.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._whole = Reader(home)
        self._scoped: OrderedDict[frozenset[str], Reader] = OrderedDict()
        self._lock = threading.Lock()

    def reader_for(self, viewer: Viewer = LOCAL) -> Reader:
        """Reader that sees what `viewer` may see, and nothing else."""
        if viewer.teams is None:
            return self._whole
        with self._lock:
            reader = self._scoped.get(viewer.teams) or Reader(self._home, Scope(viewer.teams))
            self._scoped[viewer.teams] = reader
            self._scoped.move_to_end(viewer.teams)
            while len(self._scoped) > _MOST_SCOPES:
                self._scoped.popitem(last=False)  # not closed: a page may be reading; it closes with its last reference
            return reader
