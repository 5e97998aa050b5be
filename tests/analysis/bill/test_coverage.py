"""Partial periods: those that began before a bill does, and what is said about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.coverage import BillCoverage, beginning_text, covered_from
from exporter.analysis.bill.windows import billing_windows

pytestmark = pytest.mark.slow

ZONES = {"gcp": "America/Los_Angeles", "openai": "UTC"}
NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
MONTH_BEGINS = datetime(2026, 11, 1, 7, tzinfo=UTC)
LAST_MONTH_BEGINS = datetime(2026, 10, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
BILL = ("gcp", "01AB23-4C5D67-89EF01")


def coverage(begins: dict[tuple[str, str], datetime]) -> BillCoverage:
    zones = {provider: ZONES[provider] for provider, _ in begins}
    windows = {provider: billing_windows(NOW, zone) for provider, zone in zones.items()}
    return BillCoverage(begins, windows, zones)


@pytest.mark.parametrize(
    ("begin", "partial"),
    [
        (LAST_MONTH_BEGINS, []),
        (LAST_MONTH_BEGINS + 3 * HOUR, []),
        (LAST_MONTH_BEGINS + 4 * HOUR, ["last_month"]),
        (MONTH_BEGINS, ["last_month"]),
        (MONTH_BEGINS + 3 * HOUR, ["last_month"]),
        (MONTH_BEGINS + 4 * HOUR, ["month_to_date", "last_month"]),
        (datetime(2026, 11, 25, 8, tzinfo=UTC), ["month_to_date", "last_month"]),
        (NOW - HOUR, ["today", "yesterday", "month_to_date", "last_month"]),
    ],
)
def test_a_period_is_partial_if_and_only_if_the_bill_begins_after_it_does(
    begin: datetime, partial: list[str]
) -> None:
    found = coverage({BILL: begin})
    assert [name for _, name, is_partial in found.partial() if is_partial] == partial
    assert [name for name in billing_windows(NOW, "UTC") if found.is_partial(name)] == partial
    assert {found.covered_from(name) for name in partial} <= {begin}
    assert len(found.sentences()) == (1 if partial else 0)


def test_the_first_day_is_one_of_the_provider_and_the_text_claims_no_reason() -> None:
    midnight = datetime(2026, 11, 21, 8, tzinfo=UTC)
    found = coverage({BILL: midnight - HOUR, ("openai", ""): midnight - 8 * HOUR})
    assert found.covered_from_text("month_to_date") == "20 November 2026"
    assert found.sentences() == [
        "The bill of gcp 01AB23-4C5D67-89EF01 begins on 20 November 2026; costs before are not known.",
        "The bill of openai begins on 21 November 2026; costs before are not known.",
    ]
    assert beginning_text(BILL, midnight, ZONES["gcp"]).startswith(
        "The bill of gcp 01AB23-4C5D67-89EF01 begins on 21 November 2026;"
    )


def test_each_provider_is_judged_by_its_own_bills_and_a_sum_by_all_of_them() -> None:
    old, new = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    found = coverage({BILL: old, ("openai", ""): new})
    assert ("gcp", "month_to_date", False) in set(found.partial())
    assert ("openai", "month_to_date", True) in set(found.partial())
    assert found.is_partial("month_to_date")
    assert found.covered_from("month_to_date") == new


def test_without_a_bill_nothing_is_known_of_any_period() -> None:
    assert BillCoverage().is_partial("month_to_date") is None
    assert BillCoverage().covered_from("month_to_date") is None
    assert list(BillCoverage().partial()) == BillCoverage().sentences() == []


_MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
_BILLS = st.tuples(st.sampled_from(["gcp", "aws"]), st.text(max_size=2))


@given(
    st.dictionaries(_BILLS, _MOMENTS, max_size=5), st.dictionaries(st.sampled_from(["gcp", "aws"]), _MOMENTS)
)
def test_from_the_moment_named_on_every_bill_is_known_and_no_earlier_one_would_do(
    begins: dict[tuple[str, str], datetime], starts: dict[str, datetime]
) -> None:
    found = covered_from(begins, starts)
    own = {bill: begin for bill, begin in begins.items() if bill[0] in starts}
    if found is None:
        assert all(begin <= starts[provider] for (provider, _), begin in own.items())
    else:
        late = [begin for (provider, _), begin in own.items() if begin > starts[provider]]
        assert all(begin <= found for begin in late)
        assert found in late
