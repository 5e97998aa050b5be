"""Work that waits for others, several pieces at the same time; results come in the order of what was given.

The threads do not keep the process alive: who interrupts a command need not wait for one that hangs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar, cast

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")
_Emitted = TypeVar("_Emitted")

_END: Final = object()


def results_of(given: Sequence[_Given], work: Callable[[_Given], _Result]) -> list[_Result]:
    """Return the result for each. Raises what `work` raises for the first of those that fail."""

    def one(each: _Given, emit: Callable[[_Result], None]) -> None:
        emit(work(each))

    return [result for emitted in emitted_by(given, one) for result in emitted]


def emitted_by(
    given: Sequence[_Given], work: Callable[[_Given, Callable[[_Emitted], None]], None]
) -> Iterator[Iterator[_Emitted]]:
    """Yield for each what its work emits, as soon as it does; all work begins at once.

    Raises what `work` raises, after what it emitted.
    """
    boxes: list[queue.SimpleQueue[object]] = [queue.SimpleQueue() for _ in given]

    def run(each: _Given, box: queue.SimpleQueue[object]) -> None:
        failure: BaseException | None = None
        try:
            work(each, box.put)
        except BaseException as error:  # noqa: BLE001 - it is raised where the results are read
            failure = error
        box.put((_END, failure))

    for each, box in zip(given, boxes, strict=True):
        threading.Thread(target=run, args=(each, box), daemon=True).start()
    for box in boxes:
        yield _emitted(box)


def _emitted(box: queue.SimpleQueue[object]) -> Iterator[_Emitted]:
    while True:
        found = box.get()
        if isinstance(found, tuple) and len(found) == 2 and found[0] is _END:
            if found[1] is not None:
                raise found[1]
            return
        # Only `work` and `run` put something there.
        yield cast("_Emitted", found)
