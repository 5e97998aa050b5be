"""Cost that alerts may be about: hours and settled days, and why the services rose, one sentence each.

Only what passes the thresholds is explained, so that there are few series, and their text changes seldom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.core.printable import printable
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.ledger.usage.llm import LlmView
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.settled_day import settled_day_families, settled_days
from exporter.metrics.spikes import MOSTLY_BILLED, Floors, Judged, billed_spikes, usage_spikes
from exporter.sources.registry import HOURLY_BILLS

MOST_EXPLAINED: Final = 20
"""Of more rises only the largest: each one has questions of its own to the ledger."""

LONGEST_EXPLANATION: Final = 300
"""Characters. The names of SKUs and projects in it are the provider's and the user's, of any length."""

About = Literal["settled_day", "spike_hour"]


@dataclass(frozen=True, slots=True)
class Rise:
    """A service whose cost rose."""

    provider: str
    service_name: str
    about: About
    usd: float
    """By how much."""
    window: Window
    before: Window
    """What it is compared with."""
    least_billed_usd: float = -inf
    """A bill that has less than this in the window does not explain it."""


Explain = Callable[[LedgerView, Sequence[Rise], datetime], Mapping[Rise, str]]
"""Returns why each of some services rose, in one sentence, where the bill shows it."""


def explain_nothing(_view: LedgerView, _rises: Sequence[Rise], _now: datetime) -> Mapping[Rise, str]:
    """Leave all rises without a reason."""
    return {}


class UnusualCost:
    """Finds hours and days that cost more than usual, and explains them; figures of days are kept."""

    def __init__(self, thresholds: Mapping[str, float], explain: Explain) -> None:
        """`thresholds` are those of the alert rules, by name."""
        self._thresholds = thresholds
        self._explain = explain
        self._floors = Floors(thresholds.get("hourly_spike_usd", inf), thresholds.get("spike_score", inf))
        self._days: tuple[object, list[FamilySamples]] | None = None

    def spikes(
        self, view: LedgerView, usage: LlmView | None, now: datetime, outlooks: Sequence[Outlook]
    ) -> list[Judged]:
        """Return the latest hour of each service, and of SKUs and models with a spike."""
        found = billed_spikes(view, outlooks, self._floors)
        return found if usage is None else found + usage_spikes(view, usage, outlooks, self._floors, now)

    def settled_days(
        self, view: LedgerView, now: datetime, timezones: Mapping[str, str]
    ) -> list[FamilySamples]:
        """Return the cost of the latest settled day and of those before."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        state = hour, view.exported_before, view.state()
        if self._days is None or self._days[0] != state:
            self._days = state, settled_day_families(view, now, timezones)
        return self._days[1]

    def explanations(
        self,
        view: LedgerView,
        now: datetime,
        timezones: Mapping[str, str],
        spikes: Sequence[Judged],
        days: Sequence[FamilySamples],
    ) -> list[FamilySamples]:
        """Return why the services rose that passed the thresholds."""
        rises = [
            *rises_of_days(view, now, timezones, days, self._thresholds),
            *rises_of_hours(spikes, self._floors, timezones),
        ]
        return [explanation_family(view, rises, self._explain, now)]


def explanation_family(
    view: LedgerView, rises: Sequence[Rise], explain: Explain, now: datetime
) -> FamilySamples:
    """Return why the largest of the rises happened."""
    largest = sorted(rises, key=lambda rise: (-rise.usd, rise.provider, rise.service_name, rise.about))
    sentences = explain(view, largest[:MOST_EXPLAINED], now) if largest else {}
    return FamilySamples(
        metrics.SPEND_UNUSUAL_COST_INFO,
        [
            ((rise.provider, rise.service_name, rise.about, shortened(text)), 1.0)
            for rise, text in sentences.items()
        ],
    )


def shortened(text: str) -> str:
    """Return a sentence on one line, of at most LONGEST_EXPLANATION characters."""
    line = " ".join(printable(text, " ").split())
    return line if len(line) <= LONGEST_EXPLANATION else f"{line[: LONGEST_EXPLANATION - 1].rstrip()}…"


def rises_of_days(
    view: LedgerView,
    now: datetime,
    timezones: Mapping[str, str],
    families: Sequence[FamilySamples],
    thresholds: Mapping[str, float],
) -> Iterator[Rise]:
    """Yield the services that rose beyond the thresholds of SpendDayJump from one settled day to the next.

    `families` are those of settled_day_families.
    """
    usd = {
        labels: value
        for each in families
        if each.family is metrics.SPEND_SETTLED_DAY_USD
        for labels, value in each.samples
    }
    least, ratio = thresholds.get("day_jump_usd", inf), thresholds.get("day_jump_ratio", inf)
    found = {
        (provider, service): today - before
        for (provider, service, days_before), today in usd.items()
        if days_before == "0" and (before := usd.get((provider, service, "1"))) is not None
        if today - before > max(least, before * ratio)
    }
    days = settled_days(view, now, timezones) if found else {}
    for (provider, service), rise in found.items():
        yield Rise(provider, service, "settled_day", rise, days[provider][0], days[provider][1])


def rises_of_hours(judged: Sequence[Judged], floors: Floors, timezones: Mapping[str, str]) -> Iterator[Rise]:
    """Yield the services with a spike, of providers that bill by the hour.

    The sentence compares with the same hour a week before: a median of many hours has no SKUs to compare.
    """
    for each in judged:
        if each.sku == "" and each.provider in HOURLY_BILLS and floors.passed(each.spike):
            begin = datetime.fromtimestamp(each.hour * 3600, UTC)
            zone = ZoneInfo(timezones[each.provider])
            before = (begin.astimezone(zone) - timedelta(days=7)).astimezone(UTC)
            yield Rise(
                each.provider,
                each.service_name,
                "spike_hour",
                each.spike.above_usd,
                (begin, begin + timedelta(hours=1)),
                (before, before + timedelta(hours=1)),
                MOSTLY_BILLED * each.spike.hour_usd,
            )
