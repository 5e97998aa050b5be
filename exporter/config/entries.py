"""Entries of a list of accounts: each has a name, which becomes part of the label `source`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.problems import explained
from exporter.config.yaml import KeyPath
from exporter.core.source_names import ENTRY_NAME

NAME_RULE: Final = (
    "a name of at most 63 letters, digits, dots, dashes and underscores, beginning and ending with a "
    "letter or digit"
)

EntryName = Annotated[
    StrictStr | None,
    Field(
        pattern=ENTRY_NAME,
        description=NAME_RULE,
        examples=["production"],
    ),
]


def nameless(_section: Mapping[str, object]) -> object:
    """Return what an entry is called that has no name of its own: nothing."""
    return None


def named_twice(
    path: KeyPath,
    key: str,
    entries: Sequence[object],
    otherwise: Callable[[Mapping[str, object]], object] = nameless,
) -> Iterator[InitErrorDetails]:
    """Yield the entries of a list that have the name of an earlier one, or none where they need one.

    `key` is the list's whole key path; `otherwise` is what an entry without a name is called.
    """
    if len(entries) < 2:
        return
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            continue
        given = entry.get("name")
        name = otherwise(entry) if given is None else given
        if name is None and otherwise is nameless:
            text = "is missing (each of several entries needs one), for example name: production"
            yield explained((*path, number, "name"), text)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield explained(
                (*path, number, "name"),
                f"{name!r} is the name of {key}[{seen[name]}] as well; choose another",
            )
        seen.setdefault(name, number)
