"""Keys that had another name in an earlier version: still read, and reported with their new name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.config.problems import Problem, key_text
from exporter.config.yaml import KeyPath

RENAMED: Final[Mapping[KeyPath, str]] = {
    ("gcp", "cloud_run"): "live_usage",
    ("alerts", "watching_usd_per_month"): "exporter_cost_usd_per_month",
}
"""Path of the old key -> its new name, in the same section."""


@dataclass(frozen=True, slots=True)
class RenamedKey:
    """An old key that a configuration still uses."""

    old: KeyPath
    new: KeyPath

    def __str__(self) -> str:
        return f"{key_text(self.old)} is now called {key_text(self.new)}; rename it"


def with_present_names(
    value: object, lines: Mapping[KeyPath, int]
) -> tuple[object, dict[KeyPath, int], list[RenamedKey], list[Problem]]:
    """Return document and lines with the new names, the renamed keys, and problems where both are set."""
    renamed: list[RenamedKey] = []
    problems: list[Problem] = []
    present = dict(lines)
    for old, name in RENAMED.items():
        new = (*old[:-1], name)
        section = _section(value, old[:-1])
        if section is None or old[-1] not in section:
            continue
        if name in section:
            text = f"is the old name of {key_text(new)}, which is set as well; keep {key_text(new)}"
            problems.append(Problem(key_text(old), lines.get(old), text))
        renamed.append(RenamedKey(old, new))
        value = _moved(value, old, name)
        present |= dict(_moved_lines(lines, old, new))
    return value, present, renamed, problems


def _section(value: object, path: KeyPath) -> Mapping[object, object] | None:
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value if isinstance(value, Mapping) else None


def _moved(value: object, old: KeyPath, name: str) -> object:
    """A copy with the key renamed; a value under the new name stays."""
    assert isinstance(value, Mapping)
    if len(old) > 1:
        return {**value, old[0]: _moved(value[old[0]], old[1:], name)}
    moved = {key: each for key, each in value.items() if key != old[0]}
    moved.setdefault(name, value[old[0]])
    return moved


def _moved_lines(lines: Mapping[KeyPath, int], old: KeyPath, new: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    for path, line in lines.items():
        if path[: len(old)] == old:
            yield (*new, *path[len(old) :]), line
