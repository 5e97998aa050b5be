"""What a simulated company truly spends, whatever its bill says of that when: the yardstick of tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from exporter.simulator.google.company import ACCOUNTS, Account
from exporter.simulator.google.invoice import Posting
from exporter.simulator.google.usage import MICROS
from exporter.simulator.google.world import Piece, World
from exporter.simulator.moment import MICROSECONDS_PER_HOUR, to_microseconds


@dataclass(frozen=True, slots=True)
class TrueCost:
    """Final net cost of one usage hour: what all rows ever exported for it sum to."""

    hour: int
    """Hours since 1970-01-01 00:00 UTC."""
    billing_account_id: str
    project_id: str
    """Empty for tax, rounding and goodwill."""
    service_name: str
    currency: str
    cost: Decimal
    """In `currency`, exact to the micro-unit."""
    cost_usd: Decimal


def true_cost(world: World, since: datetime, until: datetime) -> Iterator[TrueCost]:
    """Final net cost of the usage hours that begin in [since, until), by hour, project and service."""
    hours = (-(-to_microseconds(time) // MICROSECONDS_PER_HOUR) for time in (since, until))
    for hour in range(*hours):
        yield from _of_hour(world, hour)


def pieces_exported(world: World, since: datetime, until: datetime) -> Iterator[Piece]:
    """The usage in `rows_exported`, in the same order: all but tax, rounding and goodwill."""
    begin = since
    while begin < until:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(until, midnight)
        for exported, hour, meter, _, cause in sorted(
            world._events(to_microseconds(begin), to_microseconds(end))
        ):
            if not isinstance(cause, Posting):
                yield from world._pieces_of(exported, hour, meter, cause)
        begin = end


def _of_hour(world: World, hour: int) -> Iterator[TrueCost]:
    at = world._usage.moment(hour)
    micros: dict[tuple[Account, str, str], int] = {}
    for meter, use in world.uses(hour):
        correction = world._corrections.of_hour(meter, hour)
        final = use if correction is None else correction.final(use)
        key = (meter.account, meter.project.id, meter.service.name)
        micros[key] = micros.get(key, 0) + final.net_micros
    for account in ACCOUNTS.values():
        for posting in world._invoices.postings(account, at.billing_month):
            if posting.hour == hour:
                key = (account, "", "Cloud SQL" if posting.kind == "adjustment" else "Invoice")
                micros[key] = micros.get(key, 0) + posting.micros()
    for (account, project_id, service), amount in micros.items():
        cost = Decimal(amount) / MICROS
        rate = Decimal(world._usage.conversion_rate(account, at))
        yield TrueCost(hour, account.id, project_id, service, account.currency, cost, cost / rate)
