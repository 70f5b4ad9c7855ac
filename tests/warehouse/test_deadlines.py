"""Deadlines: called back once when a time is over, in the order of their times, never after the block is left."""

from __future__ import annotations

import threading

from warehouse.deadlines import Deadlines

FAR = 1e9


def test_each_is_called_back_when_its_own_time_is_over() -> None:
    deadlines, told = Deadlines(), []
    both = threading.Event()
    with (
        deadlines.within(FAR, lambda: told.append("far")),
        deadlines.within(0.05, lambda: (told.append("second"), both.set())),
        deadlines.within(0.01, lambda: told.append("first")),
    ):
        assert both.wait(60)
    assert told == ["first", "second"]


def test_what_is_left_in_time_is_not_called_and_one_thread_does_for_all() -> None:
    deadlines, told = Deadlines(), []
    over = threading.Event()
    before = threading.active_count()
    for number in range(50):
        with deadlines.within(0.2 if number % 2 else FAR, lambda: told.append("late")):
            pass
    with deadlines.within(0.4, over.set):
        assert over.wait(60)
    assert not told
    assert threading.active_count() <= before + 1
