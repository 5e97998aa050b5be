"""The share of a bill that a proxy saw: of the same days, never of a part of one, never of nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.llm.capture_ratio import KnownDays, capture_ratios

FIRST = date(2026, 11, 1)
ALL = KnownDays(FIRST, FIRST + timedelta(days=19))


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def test_a_proxy_that_saw_half_of_the_bill_has_a_ratio_of_a_half() -> None:
    billed = {("openai", day(n)): 10.0 for n in range(20)} | {("anthropic", day(3)): 8.0}
    proxy = {("openai", day(n)): 5.0 for n in range(20)} | {("anthropic", day(3)): 8.0}
    anthropic, openai = capture_ratios(proxy, billed, ALL, {"openai": ALL, "anthropic": ALL})
    assert (anthropic.provider, anthropic.ratio) == ("anthropic", 1.0)
    assert (openai.provider, openai.ratio, openai.billed_usd) == ("openai", 0.5, 200.0)


def test_only_days_that_both_know_are_compared() -> None:
    billed = {("openai", day(n)): 1.0 for n in range(20)}
    proxy = {("openai", day(n)): 100.0 for n in range(20)} | {("openai", day(n)): 0.25 for n in range(5, 11)}
    (found,) = capture_ratios(
        proxy, billed, KnownDays(day(5), day(18)), {"openai": KnownDays(day(0), day(10))}
    )
    assert found.days == KnownDays(day(5), day(10))
    assert found.ratio == 0.25


def test_only_the_latest_days_are_compared() -> None:
    billed = {("openai", day(n)): 1.0 for n in range(20)}
    proxy = {("openai", day(n)): 1.0 for n in range(18, 20)}
    (found,) = capture_ratios(proxy, billed, ALL, {"openai": ALL}, compared=timedelta(days=4))
    assert (found.days.first, found.ratio) == (day(16), 0.5)


def test_a_provider_that_the_proxy_never_saw_has_a_ratio_of_zero() -> None:
    (found,) = capture_ratios({}, {("openai", day(1)): 1.0}, ALL, {"openai": ALL})
    assert found.ratio == 0.0


@pytest.mark.parametrize("billed", [{}, {("openai", day(1)): 0.0}, {("openai", day(1)): -3.0}])
def test_without_a_billed_amount_there_is_no_ratio(billed: dict[tuple[str, date], float]) -> None:
    assert capture_ratios({("openai", day(1)): 1.0}, billed, ALL, {"openai": ALL}) == []


def test_a_proxy_that_saw_many_times_the_bill_has_no_ratio() -> None:
    billed = {("aws", day(1)): 1.0, ("openai", day(1)): 1.0}
    proxy = {("aws", day(1)): 10.0, ("openai", day(1)): 2.0}
    (found,) = capture_ratios(proxy, billed, ALL, {"aws": ALL, "openai": ALL})
    assert (found.provider, found.ratio) == ("openai", 2.0)


def test_without_a_day_in_common_there_is_no_ratio() -> None:
    amounts = {("openai", day(n)): 1.0 for n in range(20)}
    settled = {"openai": KnownDays(day(0), day(4))}
    assert capture_ratios(amounts, amounts, KnownDays(day(5), day(9)), settled) == []


def test_a_provider_without_a_bill_is_absent() -> None:
    assert capture_ratios({("groq", day(1)): 1.0}, {}, ALL, {}) == []


AMOUNTS = st.dictionaries(
    st.tuples(st.sampled_from(["openai", "anthropic"]), st.integers(0, 19).map(day)), st.floats(0.01, 1e6)
)


@given(amounts=AMOUNTS, share=st.floats(0.0, 2.0))
def test_the_share_that_is_seen_of_each_day_is_the_ratio(
    amounts: dict[tuple[str, date], float], share: float
) -> None:
    seen = {key: usd * share for key, usd in amounts.items()}
    found = capture_ratios(seen, amounts, ALL, {"openai": ALL, "anthropic": ALL})
    assert [each.provider for each in found] == sorted({provider for provider, _ in amounts})
    for each in found:
        assert each.ratio == pytest.approx(share, rel=1e-9, abs=1e-12)
