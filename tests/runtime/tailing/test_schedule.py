"""Whose turn it is."""

from __future__ import annotations

import pytest

from logrouter.runtime.tailing.schedule import INTERVAL_SECONDS, Schedule


class File:
    """What a schedule knows of a file."""

    def __init__(self) -> None:
        self.due: float | None = None
        self.read_at = float("-inf")


def test_what_is_ready_is_read_in_turn() -> None:
    schedule, files = Schedule[File](), [File() for _ in range(3)]
    for file in files:
        schedule.read_next(file, 1.0)
    order = []
    for _ in range(6):
        file = schedule.pop(1.0)
        assert file is not None
        order.append(files.index(file))
        schedule.read_next(file, 1.0)
    assert order == [0, 1, 2, 0, 1, 2]


def test_after_a_quiet_moment_at_once_and_else_an_interval_later() -> None:
    schedule, file = Schedule[File](), File()
    schedule.wake(file, 1.0)
    assert schedule.pop(1.0) is file
    file.read_at = 1.0
    schedule.wake(file, 1.001)
    assert schedule.pop(1.001) is None
    assert schedule.next_due == pytest.approx(1.0 + INTERVAL_SECONDS)
    assert schedule.pop(1.0 + INTERVAL_SECONDS) is file
    assert schedule.next_due == float("inf")


def test_the_more_files_the_further_apart_are_their_reads() -> None:
    schedule, files = Schedule[File](), [File() for _ in range(1000)]
    for file in files:
        schedule.rest(file, 1.0)
    assert schedule.interval_seconds == pytest.approx(1.0)
    schedule.wake(files[0], 1.0)
    assert schedule.pop(1.01) is None, "it is due soon enough"


def test_what_waits_for_long_is_woken() -> None:
    schedule, file = Schedule[File](), File()
    schedule.read_at(file, 60.0)
    schedule.wake(file, 1.0)
    assert schedule.pop(1.0) is file
    assert schedule.pop(60.0) is None, "it was read"


def test_what_is_read_no_more_is_not_due() -> None:
    schedule, files = Schedule[File](), [File(), File()]
    schedule.read_next(files[0], 1.0)
    schedule.read_at(files[1], 2.0)
    for file in files:
        schedule.quiet(file)
    assert schedule.next_due == float("inf")
    assert schedule.pop(3.0) is None
