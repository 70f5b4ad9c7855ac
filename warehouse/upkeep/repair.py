"""What can be done about what an inspection found: said first, step by step, and done only when asked to.

Nothing is deleted: damaged files and files that the catalog does not know are moved below ``damaged/`` and ``aside/`` in the
warehouse's directory. Each step can be made again after a death in its middle.

- A damaged or missing file of which a backup has a whole copy is copied back.
- Another one is given up: no snapshot refers to it any more, so that the table can be read again; its rows are named.
- A catalog that is an earlier one than its files is taken as it is: the files that it does not know are set aside, and the
  stream reads the messages again.
- Of a file set aside, the rows that are not stored are taken in once the stream has passed the messages that they came in; before
  that the stream brings them itself, with all that follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.compaction import FILES_LOCK
from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY
from warehouse.turns import turn
from warehouse.upkeep import aside, manifest, mark
from warehouse.upkeep.catalog import forget_files
from warehouse.upkeep.copying import copy, digest, sync
from warehouse.upkeep.inspection import ASIDE, DAMAGED, Faulty, Inspection, Unknown

_WAIT_S = 120.0
#: Their rows are replaced, or say what the lake is: without them nothing is right, and a deletion that is lost doubles rows.
_WHOLE_OR_NOTHING = {"schema_migrations"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that repair would do.

    Attributes
    ----------
    what : str
        In words.
    lost : list of str
        What is lost by it, a line each.
    do : callable
        Does it, and says what was done.
    given_up : list of Faulty
        Files that it gives up.
    """

    what: str
    lost: list[str]
    do: Callable[[], str]
    given_up: list[Faulty] = field(default_factory=list)


def plan(path: Path, found: Inspection, backups: Path | None = None) -> tuple[list[Step], list[str]]:
    """Steps, in their order, and what can't be helped by any.

    Parameters
    ----------
    path : Path
        The warehouse's directory.
    backups : Path, optional
        Directory of backups to look for whole files in.
    """
    path = path.absolute()
    steps: list[Step] = []
    beyond: list[str] = []
    copies = _copies(found.faulty, backups)
    given_up: list[Faulty] = []
    for faulty in found.faulty:
        source = copies.get(faulty.file.path)
        if source is not None:
            steps.append(_from_backup(path, faulty, source))
        elif faulty.file.table in _WHOLE_OR_NOTHING:
            beyond.append(
                f"{faulty.file.path}: {faulty.fault}; without {faulty.file.table} nothing can be repaired: restore a backup"
            )
        else:
            given_up.append(faulty)
    if given_up and not beyond:
        steps.append(_give_up(path, given_up))
    if found.is_behind:
        steps.append(_take_catalog(path, found))
    elif not given_up:
        steps += [step for file in found.aside if (step := _take_in(path, file)) is not None]
    return steps, beyond


def _copies(faulty: Iterable[Faulty], backups: Path | None) -> dict[str, Path]:
    """Where a backup has a whole copy of a faulty file."""
    if backups is None:
        return {}
    wanted = {each.file.path: each.file.bytes for each in faulty}
    found: dict[str, Path] = {}
    for name in reversed(manifest.names(backups)):
        for kept in manifest.read(backups, name).files:
            source = backups / DATA_DIRECTORY / kept.path
            fits = kept.path not in found and wanted.get(kept.path) == kept.bytes and source.is_file()
            if fits and digest(source) == kept.sha256:
                found[kept.path] = source
    return found


def _from_backup(path: Path, faulty: Faulty, source: Path) -> Step:
    place = path / DATA_DIRECTORY / faulty.file.path

    def do() -> str:
        with turn(path / FILES_LOCK, wait_s=_WAIT_S):
            _put_aside(path, DAMAGED, faulty.file.path)
            copy(source, place)
            sync(place.parent)
        return f"copied back {faulty.file.path}"

    return Step(f"copy {faulty.file.path} ({faulty.fault}) back from {source}: {faulty.rows}", [], do)


def _give_up(path: Path, given_up: list[Faulty]) -> Step:
    files = [each.file.path for each in given_up]

    def do() -> str:
        with turn(path / FILES_LOCK, wait_s=_WAIT_S), turn(path / "writing.lock", wait_s=_WAIT_S):
            forget_files(path / CATALOG_FILE, files)
            for file in files:
                _put_aside(path, DAMAGED, file)
        return f"gave up {len(files):,} files; `plumbline refresh --whole` computes what was made of them"

    lines = [f"{each.rows}: {each.file.path}, {each.fault}" for each in given_up]
    what = (
        f"give up {len(files):,} files that no backup has, so that their tables can be read; "
        f"what is left of them goes to {DAMAGED}/"
    )
    return Step(what, lines, do, given_up)


def _take_catalog(path: Path, found: Inspection) -> Step:
    """Let an earlier catalog be written to; what it does not know is kept where no clean-up looks."""
    rows: dict[str, int] = {}
    for file in found.unknown:
        rows[file.table or "no table"] = rows.get(file.table or "no table", 0) + (file.rows or 0)
    listed = ", ".join(f"{count:,} rows of {table}" for table, count in sorted(rows.items())) or "no rows"

    def do() -> str:
        with turn(path / FILES_LOCK, wait_s=_WAIT_S), turn(path / "writing.lock", wait_s=_WAIT_S):
            for file in found.unknown:
                _put_aside(path, ASIDE, file.path)
            mark.note(path, found.snapshot)
        return (
            f"set {len(found.unknown):,} files aside; start `plumbline stream`, which reads again what came after "
            f"{found.snapshot_at}, then ask `plumbline doctor` what of them is still not stored"
        )

    what = (
        f"take the catalog as it is, of snapshot {found.snapshot:,} ({found.snapshot_at} UTC) where {found.noted:,} was "
        f"committed, and set {len(found.unknown):,} files aside that it does not know: {listed}"
    )
    lost = (
        f"what was committed after {found.snapshot_at} UTC and is in no message: acknowledgements, drills, imported bills, "
        "notifications told; put the latest catalog back instead if there is one"
    )
    return Step(what, [lost], do)


def _take_in(path: Path, file: Unknown) -> Step | None:
    """Take in the rows of a file set aside that the stream has passed and that are not stored."""
    if not aside.can_be_taken_in(file):
        return None
    missing, waiting = aside.not_stored(path, file)
    if waiting:
        return None
    if not missing:
        what = f"remove {ASIDE}/{file.path}: all of its {file.rows:,} rows of {file.table} are stored"
        return Step(what, [], lambda: aside.remove(path, file))
    what = (
        f"take {missing:,} rows of {file.table} in from {ASIDE}/{file.path}: the stream has passed their messages, "
        "and they are not stored"
    )
    return Step(what, [], lambda: aside.take_in(path, file))


def _put_aside(path: Path, where: str, file: str) -> None:
    """Move a file of the data directory, if it is there."""
    target = path / where / file
    target.parent.mkdir(parents=True, exist_ok=True)
    source = path / DATA_DIRECTORY / file
    if source.exists():
        source.replace(target)
        sync(target.parent)
