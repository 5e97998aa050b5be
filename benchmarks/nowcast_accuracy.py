"""How wrong the estimate of a whole day is, beside three simple estimates, on simulated bills.

    python benchmarks/nowcast_accuracy.py [--seeds 5] [--days 60] [--judged-days 23]

Errors are shares of the day's settled bill: usage with its credits as at first billed, without tax and later
corrections. The last table holds the same estimates against the bill with corrections, and with tax too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.analysis.nowcast.plain_bill import PlainBill, plain_bill
from tests.analysis.nowcast.yardsticks import Yardstick, bornhuetter_ferguson, scaled, yesterday

from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO
from exporter.simulator.variation import Variation
from tests.analysis.nowcast.simulated_bill import START, TIMEZONE, SimulatedBill, simulated_bill

CLOCK_HOURS = (12, 16, 20)
YARDSTICKS: dict[str, Yardstick] = {
    "yesterday": yesterday,
    "billed so far, scaled": scaled,
    "Bornhuetter-Ferguson": bornhuetter_ferguson,
}
FIRST_HOUR = int(START.timestamp()) // 3600
Errors = dict[tuple[str, int], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--judged-days", type=int, default=23)
    options = parser.parse_args()
    restated: Errors = {}
    for name, bills in worlds(options.seeds, options.days):
        errors: Errors = {}
        began, count = time.perf_counter(), 0
        for bill in bills:
            judge(bill, options.days - options.judged_days, errors, restated if name == "ordinary" else None)
            count += 1
        table(f"{name} ({count} seeds)", errors)
        print(f"  {(time.perf_counter() - began) / count:.0f} s a world\n")
    table("ordinary, against the bill as later restated", restated)


def worlds(seeds: int, days: int) -> Iterator[tuple[str, Iterator[SimulatedBill | PlainBill]]]:
    few = range(1, max(2, seeds // 2) + 1)
    yield "plain services", (plain_bill(seed, days) for seed in range(1, seeds + 1))
    yield "ordinary", (simulated_bill(seed, days) for seed in range(1, seeds + 1))
    bursts = Variation(bursty=True)
    yield "training in bursts", (simulated_bill(seed, days, variation=bursts) for seed in few)
    yield "incident of three days", (simulated_bill(seed, days, incident_days=(48.6, 51.6)) for seed in few)
    doubled = Variation(faster_from=FIRST_HOUR + 35 * 24)
    yield "growth doubles", (simulated_bill(seed, days, variation=doubled) for seed in few)
    late = Variation(late_service="bigquery", late_hours=48.0)
    yield "BigQuery two days late", (simulated_bill(seed, days, variation=late) for seed in few)
    later = Variation(late_service="run", late_hours=48.0, late_from=FIRST_HOUR + 45 * 24)
    yield "Cloud Run late all of a sudden", (simulated_bill(seed, days, variation=later) for seed in few)


def judge(bill: SimulatedBill | PlainBill, first_day: int, errors: Errors, restated: Errors | None) -> None:
    replay = Replay(bill.history, TIMEZONE, bill.end_hour, bill.live)
    calendar = replay.calendar
    start = calendar.day(bill.first_hour) + first_day
    for day in range(start, calendar.day(bill.end_hour - 1)):
        low, high = calendar.day_hours(day)
        final = sum(bill.settled_usd[hour] for hour in range(low, high))
        for now in range(low, high):
            clock = calendar.week_hour(now) % 24
            if clock not in CLOCK_HOURS:
                continue
            for name, live in (("nowcast", False), ("nowcast with live usage", True)):
                whole = replay.nowcast(now, low, high, live=live).whole_day(now)
                usd = sum(part.total_nano_usd for part in whole.values()) / NANO
                errors.setdefault((name, clock), []).append(usd / final - 1.0)
                if restated is not None and isinstance(bill, SimulatedBill):
                    truths = zip(("with corrections", "and tax"), bill.restated_usd(low, high), strict=True)
                    for kind, truth in truths:
                        restated.setdefault((f"{name}, {kind}", clock), []).append(usd / truth - 1.0)
            for other, yardstick in YARDSTICKS.items():
                usd = yardstick(replay.known, calendar, low)
                errors.setdefault((other, clock), []).append(usd / final - 1.0)


def table(title: str, errors: Errors) -> None:
    print(f"{title:44s}" + "".join(f"{f'{clock}:00 mean / worst':>22s}" for clock in CLOCK_HOURS))
    for name in dict.fromkeys(name for name, _ in errors):
        cells = []
        for clock in CLOCK_HOURS:
            found = [abs(error) for error in errors[name, clock]]
            cells.append(f"{sum(found) / len(found):10.2%} / {max(found):7.2%}")
        print(f"  {name:42s}" + "".join(f"{cell:>22s}" for cell in cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
