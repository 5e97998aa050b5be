"""The table of sources in the docs says the same as the registry."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exporter.core.ownership import ANY_OTHER
from exporter.sources.registry import REGISTRY
from tests.support import places


def names(providers: Iterable[str]) -> str:
    shown = ["any other provider" if provider == ANY_OTHER else f"`{provider}`" for provider in providers]
    return ", ".join(shown) or "-"


def test_the_docs_list_every_source_as_it_is_registered() -> None:
    text = (places.DOCS / "development.md").read_text(encoding="utf-8")
    section = text.partition("\n## Sources\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| `", line)]
    assert rows == [
        f"| `{entry.name}` | `{entry.section}` | {names(entry.bills)} | {names(entry.estimates)} "
        f"| {names(entry.attributes)} | {names(entry.advises)} | [{entry.page}]({entry.page}) |"
        for entry in REGISTRY
    ]
