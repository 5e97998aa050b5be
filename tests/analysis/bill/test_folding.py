"""Cardinality is bounded by relabelling small series, and every sum stays what it was."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.folding import OTHER, SAMPLES_PER_SERIES, Labels, fold, kept_labels, own_labels

few = st.sampled_from(["a", "b", "c"])
labels = st.tuples(st.just("gcp"), few, few, few, st.integers(0, 30).map(str), st.just("sku"), few, few)
weights = st.dictionaries(labels, st.floats(0, 1e6), max_size=60)


def one(sku: str, project: str = "p") -> Labels:
    return ("gcp", "account", project, "Compute Engine", sku, f"SKU {sku}", "us", "usage")


def test_with_room_for_all_every_series_keeps_its_labels() -> None:
    known = {one("a"): 1.0, one("b"): 2.0}
    assert own_labels(known, set(), max_series=100) == set(known)


def test_without_room_the_heaviest_keep_theirs_and_the_service_is_still_reported() -> None:
    known = {one(str(number)): float(number) for number in range(50)}
    own = own_labels(known, set(), max_series=100)
    assert own == {one(str(number)) for number in range(50 - 19, 50)}
    sums, count = fold([(each, Decimal(1)) for each in known], own, kept_labels(known, 100))
    assert count == 31
    assert sums[("gcp", "account", OTHER, "Compute Engine", OTHER, OTHER, OTHER, "usage")] == 31


def test_a_series_keeps_its_place_when_heavier_ones_appear() -> None:
    old = {one(str(number)): 1.0 for number in range(19)}
    new = {one(f"new {number}"): 100.0 for number in range(30)}
    assert own_labels(old | new, set(old), max_series=100) == set(old)


@given(weights=weights, already=st.sets(labels, max_size=20), max_series=st.integers(20, 200))
def test_folding_bounds_the_series_and_keeps_every_total(
    weights: dict[Labels, float], already: set[Labels], max_series: int
) -> None:
    own = own_labels(weights, already & weights.keys(), max_series)
    kept = kept_labels(weights, max_series)
    values = [(each, Decimal(number)) for number, each in enumerate(weights)]
    sums, count = fold(values, own, kept)
    groups = {each for each in sums if OTHER in each}
    assert len(own) * SAMPLES_PER_SERIES <= max_series
    assert len(sums) <= max(max_series // SAMPLES_PER_SERIES, len(groups))
    assert count == len(weights) - len(own)
    assert sum(sums.values()) == sum(value for _, value in values)
    for position in (0, 1, 7):
        for value in {each[position] for each in weights}:
            before = sum(amount for each, amount in values if each[position] == value)
            assert sum(amount for each, amount in sums.items() if each[position] == value) == before
