"""The parts of a change add up to it exactly, whatever the bill has."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.explain.change import EXACT, NO_CHANGE, PARTS, Change, Side, change_of, summed

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=18, allow_nan=False)
quantities = st.one_of(st.just(0.0), st.floats(1e-9, 1e12))
sides = st.one_of(st.just(Side()), st.builds(Side, amounts, quantities, st.just(True)))
kinds = st.sampled_from(["use", "credits_and_commitments", "corrections", "taxes"])
lines = st.lists(st.tuples(st.sampled_from("abc"), st.builds(change_of, kinds, sides, sides)), max_size=8)


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, amounts, Decimal(0))


def whole(change: Change) -> bool:
    return exact_sum(change.parts.values()) == change.usd


@given(lines)
def test_the_parts_of_each_sum_add_up_to_the_whole_exactly(found: list[tuple[str, Change]]) -> None:
    groups = summed(found)
    total = sum(groups.values(), NO_CHANGE)
    assert all(whole(change) for change in (*groups.values(), total, *(change for _, change in found)))
    assert total.usd == exact_sum(EXACT.subtract(each.now.usd, each.before.usd) for _, each in found)
    assert list(groups.values()) == sorted(groups.values(), key=lambda change: -abs(change.usd))
    assert set(total.parts) <= set(PARTS)


def test_a_line_that_grew_a_hundred_million_times_has_parts_that_add_up() -> None:
    before = Side(Decimal("99.999859000198809721"), 1.0, True)
    assert whole(change_of("use", before, Side(Decimal(0), 100000141.0, True)))


def test_twice_the_use_at_half_the_price_is_both() -> None:
    change = change_of("use", Side(Decimal(10), 100, True), Side(Decimal(10), 200, True))
    assert change.parts == {"more_use": Decimal(10), "cheaper": Decimal(-10)}


def test_what_only_one_period_has_is_new_or_gone() -> None:
    there = Side(Decimal(3), 7, True)
    assert change_of("use", Side(), there).parts == {"new": Decimal(3)}
    assert change_of("use", there, Side()).parts == {"gone": Decimal(-3)}


def test_a_fee_without_a_quantity_is_unmeasured() -> None:
    change = change_of("use", Side(Decimal(3), 0, True), Side(Decimal(4), 0, True))
    assert change.parts == {"unmeasured": Decimal(1)}


def test_credits_and_taxes_are_no_use() -> None:
    before, now = Side(Decimal(-3), 5, True), Side(Decimal(-1), 5, True)
    assert change_of("credits_and_commitments", before, now).parts == {"credits_and_commitments": Decimal(2)}
    assert change_of("taxes", Side(), Side(Decimal(1), 0, True)).parts == {"taxes": Decimal(1)}
