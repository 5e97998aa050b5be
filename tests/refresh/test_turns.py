"""The account that two sources read is taken by the one configured first, also where the other is quicker."""

import threading

from exporter.refresh.turns import Turn, turns_of


def test_a_source_waits_for_those_of_its_kind_that_are_configured_before_it() -> None:
    turns = turns_of(["focus", "bigquery/one", "bigquery/two", "bigquery/three"])
    took: list[str] = []

    def take(name: str) -> None:
        turns[name].wait()
        took.append(name)
        turns[name].passed()

    late = [threading.Thread(target=take, args=(f"bigquery/{name}",)) for name in ("three", "two")]
    for thread in late:
        thread.start()
    take("focus")
    assert took == ["focus"], "no source waits for one of another kind"
    take("bigquery/one")
    for thread in late:
        thread.join()
    assert took == ["focus", "bigquery/one", "bigquery/two", "bigquery/three"]


class Hanging(threading.Event):
    """A source that never takes an account; counts who waits for it."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return super().wait(timeout)


def test_a_source_that_hangs_keeps_the_others_from_their_turn_for_a_while_and_only_once() -> None:
    hangs, own = Hanging(), threading.Event()
    turn = Turn([hangs], own, longest_wait_seconds=0.01)
    for _ in range(3):
        turn.wait()
    assert hangs.waits == 1
    turn.passed()
    assert own.is_set()
    assert not hangs.is_set()
