"""What a row of the matrix of faults is made of, and the steps that several rows share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.world import World

Act = Callable[[World], object]
Holds = Callable[[World], bool]


@dataclass(frozen=True)
class Fault:
    """A row: how a fault happens, what still works, how it shows, how it heals."""

    name: str
    happens: Act
    told: Holds
    """Whether somebody who looks at the metrics or the log can see it."""
    told_by: str
    """The same in words."""
    works_in_words: str
    healed_by: str
    heals: Act = lambda _world: None
    works: Holds = World.both_are_right
    """What must hold while the fault lasts."""
    healed: Holds = World.is_whole
    alert: str | None = None
    """The alert that fires if it lasts; None where nobody has to act."""
    takes_long: bool = False
    """Whether it is told only after the exporter has tried again for a minute."""


def logged(*words: str) -> Holds:
    """Whether the log has had all of the words since the fault happened."""

    def told(world: World) -> bool:
        text = world.log_since()
        return all(word in text for word in words)

    return told


def unread(source: str) -> Holds:
    """Whether the metric says that files of a source cannot be read."""
    return lambda world: (world.value("spend_source_unreadable_files", source=source) or 0) > 0


def withheld(source: str) -> Holds:
    """Whether the metric says that what is gone at a source is still in its figures."""
    return lambda world: (world.value("spend_withheld_retraction_usd", source=source) or 0) > 0


def config_refused(world: World) -> bool:
    """Whether the metric says that the file of the configuration cannot be used."""
    return world.value("spend_config_last_reload_successful") == 0


def config_taken_over(world: World) -> bool:
    """Whether the metric says that the file of the configuration is used, and all is shown."""
    return world.value("spend_config_last_reload_successful") == 1 and world.is_whole()
