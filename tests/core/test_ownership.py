"""One owner per dollar: the table, and what follows from it."""

from __future__ import annotations

import re

import pytest

from exporter.core.ownership import OWNERSHIP, counted_usage, ownership
from tests.support import places


@pytest.mark.parametrize(
    ("provider", "told_by", "counted"),
    [
        ("openai", {"openai", "usage_logs"}, "openai"),
        ("openai", {"usage_logs", "litellm"}, "usage_logs"),
        ("gcp", {"cloud_monitoring", "usage_logs"}, "cloud_monitoring"),
        ("gcp", {"usage_logs"}, "usage_logs"),
        ("mistral", {"litellm"}, None),
    ],
)
def test_the_usage_of_one_source_counts_and_never_a_proxys(
    provider: str, told_by: set[str], counted: str | None
) -> None:
    assert counted_usage(provider, told_by) == counted


def test_every_provider_has_one_row_and_the_last_is_for_all_others() -> None:
    named = [provider for row in OWNERSHIP for provider in row.providers]
    assert len(named) == len(set(named))
    assert [bool(row.providers) for row in OWNERSHIP] == [True] * (len(OWNERSHIP) - 1) + [False]
    assert ownership("never heard of it") is OWNERSHIP[-1]


def test_what_is_attribution_alone_bills_nothing() -> None:
    for row in OWNERSHIP:
        assert not {"usage_logs", "litellm"} & set(row.billed_by)
        assert "litellm" in row.attribution


def test_the_docs_have_the_same_table() -> None:
    text = (places.DOCS / "llm.md").read_text(encoding="utf-8")
    section = text.split("## One owner per dollar")[1].split("##", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == [row.money for row in OWNERSHIP]
    for told, row in zip(rows, OWNERSHIP, strict=True):
        names = [tuple(re.findall(r"`(\w+)`", cell)) for cell in told[1:]]
        assert names == [row.billed_by, row.estimated_by, row.attribution]
