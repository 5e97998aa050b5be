"""A thread whose work fails says so and begins again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from exporter.refresh.lasting import lasting


def failing(times: int, error: Exception, done: list[int]) -> Callable[[], None]:
    def work() -> None:
        done.append(len(done))
        if len(done) <= times:
            raise error

    return work


def test_work_that_fails_begins_again_until_it_ends_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    lasting("builder", failing(2, ValueError("a defect"), done), threading.Event(), 0.0)()
    assert len(done) == 3
    assert caplog.text.count("builder has failed; it goes on in 0 s") == 2
    assert "a defect" in caplog.text


def test_what_the_system_refuses_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    lasting("builder", failing(1, OSError(24, "Too many open files"), []), threading.Event(), 0.0)()
    assert [record.getMessage() for record in caplog.records] == [
        "builder: [Errno 24] Too many open files; it goes on in 0 s"
    ]
    assert "Traceback" not in caplog.text


def test_nothing_begins_again_once_it_is_stopping() -> None:
    stopping, done = threading.Event(), list[int]()

    def work() -> None:
        done.append(1)
        stopping.set()
        raise OSError

    lasting("builder", work, stopping, 60.0)()
    assert done == [1]
