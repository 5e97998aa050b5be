"""Which series are exposed on their own and which are folded into `other`, to limit cardinality.

Folding only relabels: every sum over the folded series is the sum over the series themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from decimal import Decimal

from exporter.core.charges import CHARGE_LABELS

Labels = tuple[str, ...]
"""Values of CHARGE_LABELS."""

OTHER = "other"

SAMPLES_PER_SERIES = 5
"""The most samples per set of labels: four windows and a counter."""

_KEPT = ("provider", "billing_account_id", "service_name", "charge_category")
_KEPT_WHEN_TIGHT = ("provider", "billing_account_id", "charge_category")


def own_labels(weights: Mapping[Labels, float], already: Set[Labels], max_series: int) -> set[Labels]:
    """Choose the labels that get series of their own.

    `weights` has every known set of labels with its importance (dollars moved). Those in `already` keep their
    series as long as max_series allows, so that no counter comes and goes; free places go to the heaviest.
    """
    places = max_series // SAMPLES_PER_SERIES
    if len(weights) <= places:
        return set(weights)
    kept = kept_labels(weights, max_series)
    places -= len({folded(labels, kept) for labels in weights})
    ranked = sorted(weights, key=lambda labels: (labels not in already, -weights[labels], labels))
    return set(ranked[: max(places, 0)])


def kept_labels(known: Collection[Labels], max_series: int) -> tuple[str, ...]:
    """Return the label names that folded series keep; the service too, unless that fills half the cap."""
    groups = {folded(labels, _KEPT) for labels in known}
    return _KEPT if len(groups) * SAMPLES_PER_SERIES * 2 <= max_series else _KEPT_WHEN_TIGHT


def folded(labels: Labels, kept: Collection[str]) -> Labels:
    """Return the labels of the `other` series for these labels."""
    return tuple(value if name in kept else OTHER for name, value in zip(CHARGE_LABELS, labels, strict=True))


def fold(
    values: Iterable[tuple[Labels, Decimal]], own: Set[Labels], kept: Collection[str]
) -> tuple[dict[Labels, Decimal], int]:
    """Add up the values of labels without their own series; also return how many were folded."""
    sums: dict[Labels, Decimal] = {}
    count = 0
    for labels, value in values:
        shown = labels
        if labels not in own:
            shown = folded(labels, kept)
            count += 1
        sums[shown] = sums[shown] + value if shown in sums else value
    return sums, count
