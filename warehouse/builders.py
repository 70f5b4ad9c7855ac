"""Marts of one refresh, each built as soon as what it reads is there, on two threads beside the one that records them.

For a refresh of what changed: there a mart takes a tenth of a second, mostly in statements over few rows that a second thread of
DuckDB does nothing for. So two marts are built at once, each by a connection of its own, while Python imports Dagster and writes
its history. Transactions take turns (`Warehouse.transaction`); what is computed before them is not in anybody's way.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache, partial
from typing import Self

from warehouse import marts
from warehouse.lake import Warehouse
from warehouse.marts import Built

#: Kinds of marts that a thread builds, those first that it is for. What changed, and the rows of changed runs, are read once for
#: all incremental marts of a connection (`warehouse.narrowing`), so one thread has them all.
_KINDS = (("of changes", "of all"), ("of all",))
#: What is computed from all rows takes about so many times as long as what is computed from those that changed.
_OF_ALL = 2


class Builders:
    """Threads that build all marts once; use it as a context manager, which ends them.

    Parameters
    ----------
    warehouse : Warehouse
        Open for writing. Its threads of DuckDB are set to one.
    gates : Mapping[str, str]
        Marts that others may follow from only after a check, and the check's name: see `release`. Where there is nothing else to
        do, these are computed meanwhile, and put in place after it.

    Attributes
    ----------
    since : int
        Snapshot of the lake before the first mart was computed.
    """

    def __init__(self, warehouse: Warehouse, gates: Mapping[str, str]) -> None:
        warehouse.connection.execute("SET threads = 1")
        # Two connections that come and go: without it one of them finds the catalog locked now and then, and sleeps for a second.
        warehouse.keep_log()
        self.since = warehouse.snapshot()
        self._gates = dict(gates)
        self._waiting = list(most_needed_first())
        self._reads = {name: marts.upstream(name) & set(self._waiting) for name in self._waiting}
        self._building: set[str] = set()
        self._is_there: set[str] = set()
        self._built: dict[str, Built | BaseException] = {}
        self._readable: set[str] = set()
        self._is_ended = False
        self._changed = threading.Condition()
        self._warehouses = [warehouse.beside() for _ in _KINDS]
        self._threads = [
            threading.Thread(target=self._work, args=(lake, kinds), name="mart builder", daemon=True)
            for lake, kinds in zip(self._warehouses, _KINDS, strict=True)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the threads, in the middle of a statement if need be; to be called before the warehouse is closed."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()
        while self._threads:
            self._warehouses[-1].give_up_at = float("-inf")
            while self._threads[-1].is_alive():  # a statement may begin after the first interrupt
                self._warehouses[-1].connection.interrupt()
                self._threads[-1].join(0.05)
            self._threads.pop()
            self._warehouses.pop().close()

    def take(self, name: str) -> Built | None:
        """What became of a mart, waiting for it; None where it is held back, or has been taken: the caller may build it then.

        Raises
        ------
        WarehouseError
            Or whatever else its build raised.
        """
        with self._changed:
            while name not in self._built and self._is_coming(name):
                self._changed.wait()
            done = self._built.pop(name, None)
            self._building.discard(name)  # what is computed ahead of its gate is the caller's now
            self._changed.notify_all()
        if isinstance(done, BaseException):
            raise done
        return done

    def release(self, name: str) -> None:
        """Let the marts that read `name` be built: a check of that name has passed, or the caller has built that mart."""
        with self._changed:
            self._readable |= {mart for mart, check in self._gates.items() if check == name}
            if name in self._reads and name not in self._gates:
                self._readable.add(name)
            self._changed.notify_all()

    def _is_coming(self, name: str) -> bool:
        """Whether it is being built, or will be without any release."""
        if name not in self._building and (self._is_ended or name not in self._waiting):
            return False
        return all(
            read in self._readable or (read not in self._gates and self._is_coming(read)) for read in self._reads[name]
        )

    def _is_ready(self, name: str) -> bool:
        return not self._is_ended and name in self._waiting and self._reads[name] <= self._readable

    def _wait_for_gates(self, name: str) -> None:
        with self._changed:
            while not self._reads[name] <= self._readable:
                if self._is_ended or name not in self._building:
                    raise _HeldBackError
                self._changed.wait()

    def _work(self, lake: Warehouse, kinds: tuple[str, ...]) -> None:
        while (name := self._next(kinds)) is not None:
            done: Built | BaseException | None = None
            try:
                done = marts.build(lake, name, before_writing=partial(self._wait_for_gates, name))
            except _HeldBackError:
                pass
            except BaseException as error:  # it is the step's that takes it
                done = error
            with self._changed:
                self._building.discard(name)
                if done is not None:
                    self._built[name] = done
                if isinstance(done, Built):
                    self._is_there.add(name)
                    if name not in self._gates:
                        self._readable.add(name)
                self._changed.notify_all()

    def _next(self, kinds: tuple[str, ...]) -> str | None:
        """The next mart to build, waiting until it can be; None at the end."""
        with self._changed:
            while not self._is_ended and (mine := [name for name in self._waiting if _kind(name) in kinds]):
                there = self._is_there | self._readable
                ready = [name for name in mine if self._is_ready(name)]
                ready = ready or [name for name in mine if self._reads[name] <= there]
                if ready:
                    name = min(ready, key=lambda name: kinds.index(_kind(name)))  # of these the most needed
                    self._waiting.remove(name)
                    self._building.add(name)
                    return name
                self._changed.wait()
        return None


class _HeldBackError(Exception):
    """What a mart follows from has not passed its check, and nobody waits for that any more."""


def _kind(name: str) -> str:
    return "of changes" if marts.models()[name].incremental else "of all"


@cache
def most_needed_first() -> tuple[str, ...]:
    """The marts, those first after which the longest way is to go; each after those that it reads."""
    way: dict[str, tuple[int, int]] = {}
    after: dict[str, set[str]] = {name: set() for name in marts.names()}
    for name in reversed(marts.names()):  # each before those that it reads
        own = 1 if marts.models()[name].incremental else _OF_ALL
        way[name] = own + max((way[other][0] for other in after[name]), default=0), len(after[name])
        for read in marts.upstream(name) & after.keys():
            after[read] |= {name, *after[name]}
    return tuple(sorted(way, key=lambda name: way[name], reverse=True))


@cache
def as_they_end() -> tuple[str, ...]:
    """The marts in the order in which the builders end them, by what they take at a guess: who records them waits least."""
    ends: dict[str, int] = {}
    free = [0] * len(_KINDS)
    waiting = list(most_needed_first())
    while waiting:
        begins, _, _, thread, name = min(
            (max([free[thread], *(ends[read] for read in reads)]), kinds.index(_kind(name)), place, thread, name)
            for place, name in enumerate(waiting)
            if (reads := marts.upstream(name) & set(marts.names())) <= ends.keys()
            for thread, kinds in enumerate(_KINDS)
            if _kind(name) in kinds
        )
        free[thread] = ends[name] = begins + (1 if marts.models()[name].incremental else _OF_ALL)
        waiting.remove(name)
    return tuple(sorted(ends, key=lambda name: ends[name]))
