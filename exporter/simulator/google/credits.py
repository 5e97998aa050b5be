"""The credits on an hour's cost: free tier, commitments, sustained use, contract discounts, promotions.

They come in that order, and together never exceed the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.simulator.google.company import CreditKind, Line


@dataclass(frozen=True, slots=True)
class Scheme:
    """How the export names a credit: `type` is one of the export's own words."""

    type: str
    name: str
    id: str


class Credit(NamedTuple):
    """One credit on one cost; `micros` is negative, in millionths of the billing currency."""

    scheme: Scheme
    micros: int


FREE_TIER: Final = Scheme("FREE_TIER", "Free tier", "free-tier")
SCHEMES: Final[dict[CreditKind, Scheme]] = {
    "committed": Scheme("COMMITTED_USAGE_DISCOUNT", "Committed Usage Discount", "committed-usage-discount"),
    "sustained": Scheme("SUSTAINED_USAGE_DISCOUNT", "Sustained Usage Discount", "sustained-usage-discount"),
    "discount": Scheme("DISCOUNT", "Negotiated discount", "northwind-contract-2026"),
    "promotion": Scheme("PROMOTION", "Google Cloud for Startups", "startups-eu-7731"),
    "fee_utilization": Scheme("FEE_UTILIZATION_OFFSET", "Cloud SQL CUD - 1 Year", "cud-fee-offset-sql"),
}
_SUSTAINED_BY_QUARTER: Final = {"n1": (0.0, 0.2, 0.4, 0.6), "n2": (0.0, 0.1322, 0.267, 0.4)}
"""Off the price in each quarter of the month, by machine series, for machines that run all month."""


def credits_of(
    line: Line, month_progress: float, amount: float, cost_micros: int, free_share: float
) -> tuple[Credit, ...]:
    """Credits on the cost of one hour: `amount` in pricing units, `free_share` the part in the free tier."""
    granted: list[Credit] = []
    left = cost_micros
    if free_share:
        left = _grant(granted, FREE_TIER, round(cost_micros * free_share), left)
    if line.credit is not None:
        share = _share(line, line.credit, month_progress, amount)
        _grant(granted, SCHEMES[line.credit], round(left * share), left)
    return tuple(granted)


def _share(line: Line, kind: CreditKind, month_progress: float, amount: float) -> float:
    if kind == "committed":
        return min(1.0, line.credit_value / amount)
    if kind == "sustained":
        series = line.sku.partition("-")[0]
        return _SUSTAINED_BY_QUARTER[series][min(3, int(month_progress * 4.0))]
    return line.credit_value


def _grant(granted: list[Credit], scheme: Scheme, micros: int, left: int) -> int:
    micros = min(micros, left)
    if micros > 0:
        granted.append(Credit(scheme, -micros))
    return left - max(micros, 0)
