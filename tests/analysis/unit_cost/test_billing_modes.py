"""Each Cloud Run service is priced by its own billing mode, which bill and usage show, else it is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from math import sin
from random import Random

import pytest

from exporter.analysis.unit_cost.agreement import agreements
from exporter.analysis.unit_cost.rate_book import RateBook
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.core.meters import RUN

SETTLED = date(2026, 11, 17)
DAYS = [SETTLED - timedelta(days=back) for back in range(12)]
PLACE = ("shop-prod", "us-central1")
CPU, REQUESTS, IDLE = "cloud_run_cpu_seconds", "cloud_run_requests", "cloud_run_idle_instance_seconds"
ACTIVE, BILLABLE = "cloud_run_active_instance_seconds", "cloud_run_billable_instance_seconds"
REQUEST_USD, INSTANCE_USD = 24e-6, 18e-6
SKUS = {
    "request": ("4856-B847-F1EB", "Services CPU (Request-based billing)"),
    "instance": ("X", "Services CPU (Instance-based billing) in us-central1"),
}


@dataclass(frozen=True)
class Billed:
    sku_id: str
    sku: str
    day: date
    usd: float
    quantity: float
    project_id: str = PLACE[0]
    region_id: str = PLACE[1]
    service_id: str = RUN
    service_name: str = "Cloud Run"


@dataclass(frozen=True)
class Used:
    resource: str
    day: date
    amount: float
    meter: str = CPU
    project_id: str = PLACE[0]
    region_id: str = PLACE[1]
    dimension: str = ""


Level = Callable[[int], float]
"""vCPU seconds by number of the day."""


def bill(services: Mapping[str, tuple[str, Level]], days: Iterable[date] = DAYS) -> list[Billed]:
    """What services of the given modes are billed for their CPU."""
    found = []
    for day, mode in product(days, SKUS):
        quantity = sum(level(day.toordinal()) for own, level in services.values() if own == mode)
        if quantity:
            usd = quantity * (REQUEST_USD if mode == "request" else INSTANCE_USD)
            found.append(Billed(*SKUS[mode], day, usd, quantity))
    return found


def usage(services: Mapping[str, tuple[str, Level]]) -> list[Used]:
    # The day before is the one on which reading began.
    days = [*DAYS, DAYS[-1] - timedelta(days=1)]
    return [Used(name, day, level(day.toordinal())) for name, (_, level) in services.items() for day in days]


def idle(name: str, *, billed_too: bool) -> list[Used]:
    """A service whose instances are idle for four tenths of their life."""
    return [
        Used(name, day, amount, meter)
        for day in DAYS
        for meter, amount in ((ACTIVE, 600.0), (IDLE, 400.0), (BILLABLE, 1000.0 if billed_too else 600.0))
    ]


def learn(services: Mapping[str, tuple[str, Level]], more: Iterable[Used] = ()) -> RateBook:
    return learn_rates(bill(services), [*usage(services), *more], SETTLED)


def usd(book: RateBook, service: str, meter: str = CPU) -> float:
    found = book.rate(meter, *PLACE, service)
    assert found is not None
    return found.usd_per_unit


def constant(level: float) -> Level:
    return lambda _day: level


def random(level: float, seed: int) -> Level:
    return lambda day: level * Random(seed * 1_000_000 + day).uniform(0.8, 1.2)


def weekly(level: float, depth: float, shift: float = 0.0) -> Level:
    return lambda day: level * (1.0 + depth * sin(day * 0.9 + shift))


def test_two_services_in_different_modes_are_each_priced_at_their_own_rate() -> None:
    services = {"api": ("request", constant(60_000.0)), "worker": ("instance", constant(100_000.0))}
    book = learn(services)
    assert usd(book, "api") == pytest.approx(REQUEST_USD)
    assert usd(book, "worker") == pytest.approx(INSTANCE_USD)
    # One rate for both would be 16 % too low for one and 12 % too high for the other.
    blended = (60_000.0 * REQUEST_USD + 100_000.0 * INSTANCE_USD) / 160_000.0
    assert blended / REQUEST_USD == pytest.approx(0.844, abs=0.001)
    found = book.rate(CPU, *PLACE, "api")
    assert found is not None
    assert (found.basis, found.newest_day) == ("billed", SETTLED)


@pytest.mark.parametrize("turned", [False, True])
def test_services_of_one_size_are_told_apart_by_their_days(turned: bool) -> None:
    modes = ("instance", "request") if turned else ("request", "instance")
    services = {"api": (modes[0], weekly(5e4, 0.2)), "worker": (modes[1], weekly(5e4, 0.2, 2.0))}
    book = learn(services)
    rates = {"request": REQUEST_USD, "instance": INSTANCE_USD}
    assert usd(book, "api") == pytest.approx(rates[modes[0]])
    assert usd(book, "worker") == pytest.approx(rates[modes[1]])


@pytest.mark.parametrize("told", ["api", "worker"])
def test_services_that_the_bill_cannot_tell_apart_are_told_apart_by_idle_time(told: str) -> None:
    services = {"api": ("request", constant(5e4)), "worker": ("instance", constant(5e4))}
    book = learn(services, idle(told, billed_too=told == "worker"))
    assert usd(book, "api") == pytest.approx(REQUEST_USD)
    assert usd(book, "worker") == pytest.approx(INSTANCE_USD)


def test_what_neither_tells_apart_is_shared_and_adds_up_to_the_bill() -> None:
    services = {"api": ("request", constant(5e4)), "worker": ("instance", constant(5e4))}
    book = learn(services)
    assert book.modes.instance_share(*PLACE, "api") == pytest.approx(0.5)
    assert usd(book, "api") == usd(book, "worker") == pytest.approx((REQUEST_USD + INSTANCE_USD) / 2)
    (found,) = agreements(bill(services), usage(services), book, SETTLED)
    assert found.estimate_to_billed_ratio == pytest.approx(1.0)


def test_the_bill_outweighs_idle_time_that_misleads() -> None:
    """Idle minimum instances of a request-based service are billable too."""
    services = {"api": ("request", constant(9e4)), "worker": ("instance", constant(3e4))}
    book = learn(services, idle("api", billed_too=True))
    assert usd(book, "api") == pytest.approx(REQUEST_USD)
    assert usd(book, "worker") == pytest.approx(INSTANCE_USD)


@pytest.mark.parametrize(("mode", "rate"), [("request", REQUEST_USD), ("instance", INSTANCE_USD)])
def test_a_bill_of_one_mode_alone_leaves_no_doubt(mode: str, rate: float) -> None:
    services = {"api": (mode, constant(9e4))}
    misleading = idle("api", billed_too=mode == "request")
    assert usd(learn(services, misleading), "api") == pytest.approx(rate)
    assert usd(learn(services, misleading), "new") == pytest.approx(rate)


def test_live_usage_that_is_partly_missed_still_shows_the_modes() -> None:
    services = {"api": ("request", weekly(7e4, 0.3)), "worker": ("instance", weekly(4e4, 0.2, 1.0))}
    read = [Used(each.resource, each.day, each.amount * 0.9) for each in usage(services)]
    book = learn_rates(bill(services), read, SETTLED)
    assert usd(book, "api") == pytest.approx(REQUEST_USD)
    assert usd(book, "worker") == pytest.approx(INSTANCE_USD)


def test_a_service_that_changed_its_mode_is_priced_by_its_present_one() -> None:
    changed = SETTLED - timedelta(days=6)
    services = {"api": ("request", constant(4e4)), "worker": ("request", constant(9e4))}
    after = {**services, "worker": ("instance", constant(9e4))}
    billed = [
        *bill(services, [day for day in DAYS if day < changed]),
        *bill(after, [day for day in DAYS if day >= changed]),
    ]
    book = learn_rates(billed, usage(services), SETTLED)
    assert book.modes.instance_share(*PLACE, "worker") > 0.5 > book.modes.instance_share(*PLACE, "api")


def test_a_service_that_is_new_is_like_the_others_until_idle_time_tells() -> None:
    services = {"api": ("request", constant(6e4)), "worker": ("instance", constant(2e4))}
    assert learn(services).modes.instance_share(*PLACE, "new") == pytest.approx(0.25)
    assert learn(services, idle("new", billed_too=True)).modes.instance_share(*PLACE, "new") == 1.0


def test_without_a_bill_idle_time_chooses_the_list_price_and_else_google_s_default_counts() -> None:
    used = [*idle("worker", billed_too=True), *idle("api", billed_too=False)]
    book = learn_rates([], used, SETTLED, used_this_month=lambda _meter: 1e12)
    assert [usd(book, name) for name in ("worker", "api", "other")] == [18e-6, 24e-6, 24e-6]
    assert usd(book, "worker", REQUESTS) == 0.0
    assert usd(book, "other", REQUESTS) == 4e-7


def test_an_instance_based_service_pays_neither_for_requests_nor_for_minimum_instances() -> None:
    services = {"api": ("request", constant(6e4)), "worker": ("instance", constant(1e5))}
    requests = [Billed("2DA5-55D3-E679", "Requests", day, 0.4, 1e6, region_id="global") for day in DAYS]
    minimum = [
        Billed("7EBB-8579-2C98", "Services Min Instance CPU (Request-based billing)", day, 2.0, 8e5)
        for day in DAYS
    ]
    both = [*idle("api", billed_too=False), *idle("worker", billed_too=True)]
    book = learn_rates([*bill(services), *requests, *minimum], [*usage(services), *both], SETTLED)
    assert (usd(book, "api", REQUESTS), usd(book, "worker", REQUESTS)) == (pytest.approx(4e-7), 0.0)
    # What was paid for minimum instances was for the idle time of the one service.
    assert (usd(book, "api", IDLE), usd(book, "worker", IDLE)) == (pytest.approx(2.0 / 400.0), 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_many_services_add_up_to_the_bill_and_most_are_priced_at_their_own_rate(seed: int) -> None:
    services = {
        f"service-{number:02d}": (
            "instance" if (number * 7 + seed) % 3 == 0 else "request",
            random(1e4 * (1 + number * 0.37), number + 100 * seed),
        )
        for number in range(14)
    }
    told = [name for number, name in enumerate(services) if number % 2]
    more = [row for name in told for row in idle(name, billed_too=services[name][0] == "instance")]
    book = learn(services, more)
    (found,) = agreements(bill(services), usage(services), book, SETTLED)
    assert found.estimate_to_billed_ratio == pytest.approx(1.0, abs=0.01)
    rates = {"request": REQUEST_USD, "instance": INSTANCE_USD}
    errors = [abs(usd(book, name) / rates[mode] - 1.0) for name, (mode, _) in services.items()]
    blended = usd(book, "")
    blended_errors = [abs(blended / rates[mode] - 1.0) for mode, _ in services.values()]
    assert sum(errors) < 0.4 * sum(blended_errors)
    assert all(usd(book, name) == pytest.approx(rates[services[name][0]]) for name in told)
