"""Pieces of work run at the same time, and their results come in order."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from exporter.core.in_parallel import emitted_by, results_of


def test_all_work_runs_at_the_same_time_and_results_are_in_order() -> None:
    together = threading.Barrier(3, timeout=20)

    def work(number: int) -> int:
        together.wait()
        return 10 * number

    assert results_of([3, 1, 2], work) == [30, 10, 20]


def test_the_first_failure_is_raised() -> None:
    def work(number: int) -> int:
        if number:
            raise ValueError(f"no {number}")
        return number

    with pytest.raises(ValueError, match="no 1"):
        results_of([0, 1, 2], work)


def test_what_is_emitted_can_be_read_before_the_work_ends() -> None:
    read = threading.Event()

    def work(number: int, emit: Callable[[str], None]) -> None:
        emit(f"{number} begins")
        assert read.wait(20)
        emit(f"{number} ends")

    emitted = []
    for each in emitted_by([1, 2], work):
        for text in each:
            emitted.append(text)
            read.set()
    assert emitted == ["1 begins", "1 ends", "2 begins", "2 ends"]


def test_without_anything_to_do_there_is_no_result() -> None:
    assert results_of([], str) == []
