"""What was truly used in each hour, and what it costs in the end: the part of the world no bill can change.

Amounts of money are whole micro-units of the billing currency, as every export row is rounded to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, sin
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from exporter.simulator.chance import normal, stream, uniform
from exporter.simulator.google.catalogue import SERVICES, SKUS, Service, Sku
from exporter.simulator.google.company import (
    ACCOUNTS,
    LINES,
    PROJECTS,
    SEASONS,
    Account,
    Line,
    Project,
    Season,
)
from exporter.simulator.google.credits import Credit, credits_of
from exporter.simulator.moment import Moment, moment, month_first_hour, next_month
from exporter.simulator.variation import ORDINARY, Variation

MICROS: Final = 1_000_000
SQL_COMMITMENT_PRICE: Final = 0.75
"""Price under the one-year Cloud SQL consumption model, as a share of the default price."""

MEAN_MONTH_DAYS: Final = 30.4375
_MOMENTS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class Incident:
    """A runaway: from `first_hour` until before `end_hour` some lines use `factor` times as much."""

    first_hour: int
    end_hour: int
    factor: float
    ramp_hours: int = 3

    def multiplier(self, hour: int) -> float:
        """By how much it multiplies use in an hour."""
        if not self.first_hour <= hour < self.end_hour:
            return 1.0
        return 1.0 + (self.factor - 1.0) * min(1.0, (hour - self.first_hour + 1) / self.ramp_hours)


@dataclass(frozen=True, slots=True)
class Meter:
    """A line with everything it refers to, and the streams of randomness that are its own."""

    index: int
    name: tuple[str, ...]
    """A unique name: its streams are named by it, so that a new line changes no other."""
    line: Line
    sku: Sku
    service: Service
    project: Project
    account: Account
    week: tuple[float, ...]
    """Weight of each hour of the local week, with mean 1."""
    amount_per_hour: float
    """Pricing units in a mean hour when the world begins."""
    hourly_noise: int
    daily_noise: int
    activity: int


class Use(NamedTuple):
    """What one meter counted in one hour, priced as at first billed."""

    amount: float
    """In pricing units."""
    price: float
    """In billing currency for `sku.price_quantity` pricing units."""
    cost_micros: int
    credits: tuple[Credit, ...]

    @property
    def net_micros(self) -> int:
        """Cost with credits, in millionths of the billing currency."""
        return self.cost_micros + sum(credit.micros for credit in self.credits)


class Usage:
    """The true use of a world. Pure: it only caches its results."""

    def __init__(
        self, seed: int, first_hour: int, incident: Incident | None, variation: Variation = ORDINARY
    ) -> None:
        self.first_hour = first_hour
        self.meters = tuple(_meter(seed, index, line) for index, line in enumerate(LINES))
        self._incident = incident
        self._variation = variation
        self._rates = {
            account.currency: stream(seed, "rate", account.currency) for account in ACCOUNTS.values()
        }
        self._zones = tuple(ZoneInfo(account.timezone) for account in ACCOUNTS.values())
        self._moments: dict[int, Moment] = {}
        self._free: dict[tuple[str, str, str], dict[int, float]] = {}

    def moment(self, hour: int) -> Moment:
        """The calendars' view of an hour."""
        found = self._moments.get(hour)
        if found is None:
            if len(self._moments) >= _MOMENTS_KEPT:
                self._moments.clear()
            found = self._moments[hour] = moment(hour, self._zones)
        return found

    def conversion_rate(self, account: Account, at: Moment) -> float:
        """Units of the account's currency for one US dollar; another one each billing day."""
        if account.usd_rate == 1.0:
            return 1.0
        day, key = at.billing_day, self._rates[account.currency]
        drift = 0.018 * sin(day / 23.0) + 0.004 * normal(key, day)
        return round(account.usd_rate * (1.0 + drift), 15)

    def use(self, meter: Meter, hour: int) -> Use | None:
        """What a meter counted in an hour; None when nothing was used."""
        if hour < self.first_hour:
            return None
        at = self.moment(hour)
        amount = self._amount(meter, at)
        if amount <= 0.0:
            return None
        price = meter.sku.price_usd * self.conversion_rate(meter.account, at)
        if meter.line.model:
            price *= SQL_COMMITMENT_PRICE
        price = round(price, 9)
        cost = round(amount / meter.sku.price_quantity * price * MICROS)
        free = self._free_share(meter, at) if meter.sku.free_per_month else 0.0
        return Use(amount, price, cost, credits_of(meter.line, at.month_progress, amount, cost, free))

    def uses(self, hour: int) -> Iterator[tuple[Meter, Use]]:
        """Everything that was used in an hour."""
        for meter in self.meters:
            use = self.use(meter, hour)
            if use is not None:
                yield meter, use

    def _amount(self, meter: Meter, at: Moment) -> float:
        line = meter.line
        amount = meter.amount_per_hour * meter.week[at.week_hours[meter.account.timezone]]
        if amount == 0.0:
            return 0.0
        if meter.sku.unit.per_month:
            amount *= MEAN_MONTH_DAYS / at.month_days
        if line.active_share < 1.0 and self._variation.bursty:
            if uniform(meter.activity, at.billing_day) >= line.active_share:
                return 0.0
            amount /= line.active_share
        if line.noise:
            noise = self._variation.noise(line.noise, line.active_share)
            day = 0.5 * noise * normal(meter.daily_noise, at.billing_day)
            grown = line.growth * self._variation.growing_hours(self.first_hour, at.hour) / 720.0
            amount *= exp(grown + day + noise * normal(meter.hourly_noise, at.hour))
        if line.runaway and self._incident is not None:
            amount *= self._incident.multiplier(at.hour)
        return float(round(amount)) if meter.sku.unit.pricing == "count" else round(amount, 9)

    def _free_share(self, meter: Meter, at: Moment) -> float:
        """Share of an hour's use that the account's monthly allowance for the SKU still covers."""
        key = (meter.account.id, meter.sku.id, at.billing_month)
        shares = self._free.get(key)
        if shares is None:
            shares = self._free[key] = self._free_hours(meter, at.billing_month)
        return shares.get(at.hour, 0.0)

    def _free_hours(self, meter: Meter, month: str) -> dict[int, float]:
        sharers = [m for m in self.meters if m.account == meter.account and m.sku == meter.sku]
        left = meter.sku.free_per_month
        shares: dict[int, float] = {}
        for hour in range(month_first_hour(month), month_first_hour(next_month(month))):
            used = sum(self._amount(sharer, self.moment(hour)) for sharer in sharers)
            if used > 0.0:
                shares[hour] = min(1.0, left / used)
                left -= used
            if left <= 0.0:
                break
        return shares


def _meter(seed: int, index: int, line: Line) -> Meter:
    sku = SKUS[line.sku]
    project = PROJECTS[line.project]
    amount = line.usd_per_day / 24.0 / sku.price_usd * sku.price_quantity
    name = (line.sku, line.project, line.location, line.resource, line.labels)
    return Meter(
        index=index,
        name=name,
        line=line,
        sku=sku,
        service=SERVICES[sku.service],
        project=project,
        account=ACCOUNTS[project.account],
        week=_week(SEASONS[line.season]),
        amount_per_hour=amount if line.noise or amount < 1.0 else float(round(amount)),
        hourly_noise=stream(seed, "hour", *name),
        daily_noise=stream(seed, "day", line.project),
        activity=stream(seed, "active", *name),
    )


def _week(season: Season) -> tuple[float, ...]:
    weights = [weight * (1.0 if day < 5 else season.weekend) for day in range(7) for weight in season.hours]
    mean = sum(weights) / len(weights)
    return tuple(weight / mean for weight in weights)
