"""One owner per dollar: the table, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from exporter.core.ownership import ANY_OTHER, OwnershipRow, ownership_of
from exporter.sources.registry import OWNERSHIP
from tests.support import places


@pytest.mark.parametrize(
    ("provider", "reported_by", "counted"),
    [
        ("openai", {"openai", "usage_logs"}, "openai"),
        ("openai", {"usage_logs", "litellm"}, "usage_logs"),
        ("gcp", {"cloud_monitoring", "usage_logs"}, "cloud_monitoring"),
        ("gcp", {"usage_logs"}, "usage_logs"),
        ("mistral", {"litellm"}, None),
        ("openai", {"openai/product", "openai/research", "usage_logs"}, "openai"),
    ],
)
def test_the_usage_of_one_source_counts_and_never_a_proxys(
    provider: str, reported_by: set[str], counted: str | None
) -> None:
    assert OWNERSHIP.counted_usage(provider, reported_by) == counted


def test_every_provider_has_one_row_and_the_last_is_for_all_others() -> None:
    providers = [row.provider for row in OWNERSHIP.rows]
    assert len(providers) == len(set(providers))
    assert providers[-1] == ANY_OTHER
    assert ANY_OTHER not in providers[:-1]
    assert OWNERSHIP.of("never heard of it") is OWNERSHIP.rows[-1]


def test_a_source_that_names_a_provider_comes_before_one_that_takes_any() -> None:
    assert OWNERSHIP.of("gcp").billed_by == ("files", "bigquery", "focus", "focus_bigquery")
    assert OWNERSHIP.of("openai").billed_by == ("openai", "focus", "focus_bigquery")
    assert OWNERSHIP.rows[-1].billed_by == ("focus", "focus_bigquery")


def test_what_is_attribution_alone_bills_nothing() -> None:
    assert OWNERSHIP.rows
    for row in OWNERSHIP.rows:
        assert not {"usage_logs", "litellm"} & set(row.billed_by)
        assert "litellm" in row.attribution


def test_the_docs_have_the_same_table() -> None:
    text = (places.DOCS / "llm.md").read_text(encoding="utf-8")
    section = text.split("## One owner per dollar")[1].split("##", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == [row.money for row in OWNERSHIP.rows]
    for cells, row in zip(rows, OWNERSHIP.rows, strict=True):
        names = [tuple(re.findall(r"`(\w+)`", cell)) for cell in cells[1:]]
        assert names == [row.billed_by, row.estimated_by, row.attribution]


@dataclass(frozen=True)
class Claim:
    """What one source says of the dollars of providers."""

    name: str
    bills: Mapping[str, str] = field(default_factory=dict)
    estimates: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def test_the_first_source_that_bills_a_provider_owns_it_and_names_its_money() -> None:
    first, second = Claim("first", {"acme": "Acme's bill"}), Claim("second", {"acme": "another word for it"})
    found = ownership_of([first, second, Claim("logs", estimates=("acme",), attributes=("acme",))])
    assert found.of("acme") == OwnershipRow("acme", "Acme's bill", ("first", "second"), ("logs",), ("logs",))


def test_a_provider_that_no_source_names_has_a_row_also_where_no_source_takes_any() -> None:
    found = ownership_of([Claim("first", {"acme": "Acme's bill"})])
    assert found.of("another") == OwnershipRow(ANY_OTHER, "any other provider", (), (), ())
