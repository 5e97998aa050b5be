"""Which labels and tags of a bill are kept with its charges: their names, and a mark for cursors.

A name begins with the key's origin: `label:team` is a resource's label, else its project's label of that
key; `tag:env` is a tag of Google's resource hierarchy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple


class KeptTag(NamedTuple):
    """One key that is kept."""

    origin: str
    """`label` or `tag`."""
    key: str

    @property
    def name(self) -> str:
        """The key in Charge.tags, such as `label:team`."""
        return f"{self.origin}:{self.key}"


def kept_tags(names: Iterable[str]) -> tuple[KeptTag, ...]:
    """Return the keys that the names stand for, each once and in the order of Charge.tags.

    Raises ValueError for a name that is not `label:` or `tag:` followed by a key.
    """
    found = []
    for name in sorted(set(names)):
        origin, _, key = name.partition(":")
        if origin not in ("label", "tag") or not key:
            raise ValueError(f"{name!r} is not the name of a label or tag; write label:team or tag:env")
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
        f"{_quoted(json.dumps(tag.name, ensure_ascii=False))} || ':' || to_json({value})"
        for tag, value in values.items()
    )
    return f"coalesce('{{' || nullif(concat_ws(',', {pairs}), '') || '}}', '')"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
