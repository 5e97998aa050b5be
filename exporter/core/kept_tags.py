"""Which labels and tags of a bill are kept with its charges: their names, and a mark for cursors.

A name begins with the key's origin: `label:team` is a resource's label, else its project's label of that
key; `tag:env` is a tag of Google's resource hierarchy; `resource:name` is the resource itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from exporter.core.sql_texts import quoted

RESOURCE_NAME: Final = "resource:name"
"""The name of the resource that a charge is for, in Google's detailed export."""


class KeptTag(NamedTuple):
    """One key that is kept."""

    origin: str
    """`label`, `tag` or `resource`."""
    key: str

    @property
    def name(self) -> str:
        """The key in Charge.tags, such as `label:team`."""
        return f"{self.origin}:{self.key}"


def kept_name(key: str) -> str:
    """Return the name of a key as people write it: `team` for a label, the others with their origin."""
    return key if key.startswith("tag:") or key == RESOURCE_NAME else f"label:{key}"


def kept_tags(names: Iterable[str]) -> tuple[KeptTag, ...]:
    """Return the keys that the names stand for, each once and in the order of Charge.tags.

    Raises ValueError for a name that is not `label:` or `tag:` followed by a key, and not `resource:name`.
    """
    found = []
    for name in sorted(set(names)):
        origin, _, key = name.partition(":")
        if name != RESOURCE_NAME and (origin not in ("label", "tag") or not key):
            raise ValueError(
                f"{name!r} is not the name of a label or tag; write label:team or tag:env, or {RESOURCE_NAME}"
            )
        found.append(KeptTag(origin, key))
    return tuple(found)


def cursor_mark(tags: Iterable[KeptTag]) -> str:
    """Return the end of a cursor, which makes a source read again when the kept tags change.

    Empty where nothing is kept.
    """
    names = "\n".join(tag.name for tag in tags)
    return f"/tags={blake2b(names.encode(), digest_size=4).hexdigest()}" if names else ""


def tags_expression(values: Mapping[KeptTag, str]) -> str:
    """Return a VARCHAR expression for Charge.tags from one for the value of each kept tag, NULL for none."""
    if not values:
        return "''"
    pairs = ", ".join(
        f"{quoted(json.dumps(tag.name, ensure_ascii=False))} || ':' || to_json({value})"
        for tag, value in values.items()
    )
    return f"coalesce('{{' || nullif(concat_ws(',', {pairs}), '') || '}}', '')"
