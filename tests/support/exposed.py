"""What an exposition says, in the shapes that tests compare; and waiting for a condition."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Samples = dict[str, dict[Labels, float]]

DEADLINE_SECONDS = 300.0
"""Only how long a failure takes: the machine may be busy."""

ESTIMATION_SECONDS = 900.0
"""The same for estimates: their process gives way to every other, and rests nine times as long as it took."""

POLL_SECONDS = 0.1
"""Between two looks at another process, which is not to be kept busy by being looked at."""


def samples(text: str | bytes, *names: str) -> Samples:
    """Values by metric and sorted labels, read from the text format; with names, of these metrics alone."""
    found: Samples = defaultdict(dict)
    shown = text if isinstance(text, str) else text.decode()
    if names:
        wanted = tuple(f"{name}{end}" for name in names for end in "{ ")
        shown = "".join(f"{line}\n" for line in shown.split("\n") if line.startswith(wanted))
    for family in text_string_to_metric_families(shown):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def by(values: Mapping[Labels, float], *names: str) -> dict[tuple[str, ...], float]:
    """Sums by some labels; by none, the total under the key ()."""
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for labels, value in values.items():
        labelled = dict(labels)
        sums[tuple(labelled.get(name, "") for name in names)] += value
    return dict(sums)


def until(
    condition: Callable[[], object],
    what: str,
    seconds: float = DEADLINE_SECONDS,
    pause_seconds: float = 0.05,
) -> None:
    """Poll until the condition holds; fails the test when the deadline passes first."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(pause_seconds)
