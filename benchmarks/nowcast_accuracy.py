"""How wrong the estimate of a whole day is, on invented companies, and why.

    python benchmarks/nowcast_accuracy.py [--seeds 8] [--days 21] [--part PART]...

Errors are shares of the day's final cost, as mean absolute / largest / mean signed error. The floor is an
estimate that knows each world's true mean and how late its rows are; `plain` is the Bornhuetter-Ferguson
estimate.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from exporter.analysis.nowcast import credits as credit_rules
from exporter.analysis.nowcast import estimate, lateness, model, season, shift
from exporter.analysis.nowcast.backtest import backtest
from exporter.analysis.nowcast.month_forecast import forecast_month
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.shift import Shifts
from exporter.analysis.nowcast.track_record import TrackRecord, track_record
from tests.analysis.nowcast.judged_worlds import BILLING_ZONE, cells_of, covered, judge, mean_size, worst
from tests.support.bill_worlds.kinds import AUTUMN, SPRING, SUMMER, Kind, plain_kinds, unusual_kinds
from tests.support.bill_worlds.world import make_world

STARTS = (SUMMER, AUTUMN, SPRING)
HOURS = (0, 6, 12, 16, 20, 23)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--part", choices=list(PARTS), action="append")
    options = parser.parse_args()
    for name in options.part or PARTS:
        PARTS[name](range(1000, 1000 + options.seeds), options.days)
        print()


def plain(seeds: Sequence[int], days: int) -> None:
    kinds = plain_kinds()
    _accuracy("plain companies, without and with live usage", kinds, seeds, days, with_live=True)


def unusual(seeds: Sequence[int], days: int) -> None:
    few = seeds[: max(2, len(seeds) // 2)]
    _accuracy("unusual companies", unusual_kinds(), few, days, with_live=False)


def _accuracy(title: str, kinds: Sequence[Kind], seeds: Sequence[int], days: int, *, with_live: bool) -> None:
    names = ["own", "live", "plain", "floor"] if with_live else ["own", "plain", "floor"]
    print(f"{title} ({len(seeds)} worlds each, {days} days)")
    print(f"{'':38s}" + "".join(f"{f'{hour}:00':>20s}" for hour in HOURS))
    for kind in kinds:
        found = [judge(_at(kind, seed), seed, HOURS, days, with_live=with_live) for seed in seeds]
        for name in names:
            cells = []
            for hour in HOURS:
                errors = [error for each in found for error in getattr(each, name)[hour]]
                cells.append(f"{mean_size(errors):6.2%}/{worst(errors):5.1%}/{np.mean(errors):+6.2%}")
            print(f"{kind.name if name == 'own' else '':30s}{name:>8s}" + "".join(f"{c:>20s}" for c in cells))
        lost = sum(mean_size(each.own[20]) > mean_size(each.plain[20]) for each in found)
        print(f"{'':30s}{'':8s}  worse than plain at 20:00 in {lost} of {len(found)} worlds", flush=True)


def _at(kind: Kind, seed: int) -> Kind:
    """Plain kinds are judged in summer and over both changes of clocks."""
    return replace(kind, start=STARTS[seed % 3]) if kind.name.startswith("plain") else kind


def terms(seeds: Sequence[int], days: int) -> None:
    """Split the error with its sign by where it comes from; `noise` is what nobody can know."""
    names = (
        "arrived, completed",
        "passed, not arrived",
        "ahead, by season",
        "ahead, by level",
        "noise",
        "all",
    )
    print(f"where the error comes from: mean with sign, five plain kinds, {len(seeds)} worlds each")
    print(f"{'':8s}" + "".join(f"{name:>22s}" for name in names))
    sums: dict[int, list[list[float]]] = {}
    for kind in plain_kinds():
        for seed in seeds:
            for hour, parts in _terms_of(_at(kind, seed), seed, days):
                sums.setdefault(hour, []).append(parts)
    for hour, rows in sorted(sums.items()):
        print(f"{hour:02d}:00   " + "".join(f"{value:>+22.3%}" for value in np.mean(rows, axis=0)))


def _terms_of(kind: Kind, seed: int, days: int) -> Iterator[tuple[int, list[float]]]:
    world = make_world(kind, seed)
    replay = Replay(cells_of(world), BILLING_ZONE, world.end_hour)
    calendar, first = replay.calendar, world.first_hour
    gross = np.array([world.gross[world.line == line].sum() / 1e9 for line in range(len(world.lines))])
    net = (world.net_usd.sum(axis=1) / np.maximum(gross, 1e-9))[:, None]
    last = calendar.day(world.end_hour - 1)
    for day in range(last - days, last):
        low, high = calendar.day_hours(day)
        final = world.net_usd[:, low - first : high - first]
        mean = world.mean_usd[:, low - first : high - first]
        for now in range(low, high, 4):
            made = replay.estimate(now, low - 168, high)
            known = np.zeros_like(final)
            come = (world.used >= low) & (world.used < high) & (world.arrived < now)
            np.add.at(
                known, (world.line[come], world.used[come] - low), (world.gross + world.credit)[come] / 1e9
            )
            said = known + made.to_come[:, 168:]
            arrived, ahead = known != 0.0, np.arange(low, high)[None, :] >= now
            waiting = ~arrived & ~ahead
            week = slice(low - 168 - first, low - first)
            ratio = float((made.prior[:, :168] * net).sum() / world.mean_usd[:, week].sum()) - 1.0
            by_level = ratio * float((mean * ahead).sum())
            error = [
                float(((said - final) * arrived).sum()),
                float(((said - mean) * waiting).sum()),
                float(((said - mean) * ahead).sum()) - by_level,
                by_level,
                float(((mean - final) * ~arrived).sum()),
                float((said - final).sum()),
            ]
            yield calendar.week_hour(now) % 24, [part / float(final.sum()) for part in error]


def _nothing_shifts(cost: np.ndarray, *_: object) -> Shifts:
    none = np.zeros((len(cost), 0))
    return Shifts((), none, none, none, 1.0)


def _one_clock(squares: np.ndarray, *_: object) -> np.ndarray:
    found = np.zeros_like(squares)
    found[1] = 1.0
    return found


IDEAS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "a line's lateness, not its service's": lambda: patch.object(lateness, "_CREDIBILITY", 1e9),
    "rows counted (without: the share by age)": lambda: patch.object(
        estimate, "_rest", lambda _, seen, likely, begun: (likely * (1.0 - seen.part))[begun]
    ),
    "changes that are over": lambda: patch.object(
        shift, "WINDOWS", tuple(window for window in shift.WINDOWS if window[1] == 0)
    ),
    "hours in part weighed by their rows": lambda: patch.object(
        estimate, "_trust", lambda _, part: (part > 0.999).astype(float)
    ),
    "like hours (busy, quiet)": lambda: patch.object(season, "_LIKE_WEEKS", 0.01),
    "three clocks (without: the US one)": lambda: patch.object(season, "_clock_weights", _one_clock),
    "growth": lambda: patch.object(model, "learn_growth", lambda cost, _: np.zeros(len(cost))),
    "shifts of level": lambda: patch.object(estimate, "find_shifts", _nothing_shifts),
    "allowances": lambda: patch.object(credit_rules, "_allowance", lambda *_: None),
    "credits that step with the month": lambda: patch.object(credit_rules, "_STEP", 9.0),
    "single charges apart": lambda: patch.object(
        model, "usual_caps", lambda cost: np.full(len(cost), np.inf)
    ),
    "fees by their rhythm": lambda: patch.object(estimate, "expected_fees", lambda *_: iter(())),
}


def ideas(seeds: Sequence[int], days: int) -> None:
    """Take one idea away at a time."""
    unusual_by_name = {kind.name: kind for kind in unusual_kinds()}
    kinds = [
        replace(plain_kinds()[2], start=AUTUMN, name="Berlin, autumn"),
        replace(unusual_by_name["step up or down"], pieces=6, name="step, six pieces"),
        *(
            unusual_by_name[name]
            for name in (
                "step up or down",
                "weekday holiday",
                "growing 2 % a day",
                "in six pieces",
                "free allowances",
                "sustained-use steps",
                "subscriptions",
                "refunds and corrections",
            )
        ),
    ]
    few = seeds[: max(2, len(seeds) // 4)]
    print(f"what each idea earns: mean size at 0:00, 12:00 and 20:00 together ({len(few)} worlds each)")
    print(f"{'without':38s}" + "".join(f"{kind.name[:17]:>18s}" for kind in kinds))
    print(f"{'(nothing taken away)':38s}" + _sizes(kinds, few, days), flush=True)
    for name, without in IDEAS.items():
        with without():
            print(f"{name:38s}" + _sizes(kinds, few, days), flush=True)


def _sizes(kinds: Sequence[Kind], seeds: Sequence[int], days: int) -> str:
    found = []
    for kind in kinds:
        errors = [judge(kind, seed, (0, 12, 20), days).own for seed in seeds]
        size = np.mean([mean_size(by_hour[hour]) for by_hour in errors for hour in by_hour])
        found.append(f"{size:>18.3%}")
    return "".join(found)


def young(seeds: Sequence[int], _days: int) -> None:
    print("a young bill: estimates made at 12:00 and 20:00 of its first days after so many of history")
    for kept in (3, 7, 14):
        cells = []
        for hour in (12, 20):
            errors = [
                error
                for seed in seeds
                for error in judge(
                    replace(plain_kinds()[seed % 5], start=SUMMER), seed, (hour,), 3, keep_days=kept
                ).own[hour]
            ]
            cells.append(f"{hour}:00 {mean_size(errors):6.2%} / {worst(errors):6.1%}")
        print(f"  {kept:3d} days   " + "   ".join(cells), flush=True)


def cover(seeds: Sequence[int], _days: int) -> None:
    """Count how often days and months ended between the outer quantiles, which should be 80 %."""
    unlike = (
        "drifting noise",
        "noisy days",
        "step up or down",
        "growing 2 % a day",
        "late by 15 to 30 hours",
    )
    unusual_by_name = {kind.name: kind for kind in unusual_kinds()}
    many = range(seeds[0], seeds[0] + 5 * len(seeds))
    groups = {"plain companies": [(_at(plain_kinds()[seed % 5], seed), seed) for seed in many]} | {
        name: [(replace(unusual_by_name[name], start=STARTS[seed % 3]), seed) for seed in seeds]
        for name in unlike
    }
    print("share between the quantiles 0.1 and 0.9")
    for name, worlds in groups.items():
        found = [each for kind, seed in worlds for each in covered(kind, seed)]
        months = [each.month for each in found if each.month is not None]
        print(
            f"{name:30s} day {np.mean([each.day for each in found]):.0%} of {len(found)}, "
            f"month {np.mean(months):.0%} of {len(months)}, {len(worlds)} worlds",
            flush=True,
        )


def speed(_seeds: Sequence[int], _days: int) -> None:
    kind = Kind("large", services=30, lines_per_service=10, days=62)
    world = make_world(kind, 1)
    cells = cells_of(world)
    print(f"{len(cells.lines)} lines, {len(cells)} rows, 62 days (processor seconds):")
    began = time.process_time()
    tracemalloc.start()
    replay = Replay(cells, BILLING_ZONE, world.end_hour)
    replay.nowcast(world.end_hour)
    forecast_month(replay, world.end_hour, TrackRecord())
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"  a first estimate of day and month {time.process_time() - began:.2f} s, {peak:.0f} MB")
    began = time.process_time()
    track_record(cells, BILLING_ZONE, world.end_hour)
    print(f"  once a day, how past estimates turned out {time.process_time() - began:.2f} s")
    began = time.process_time()
    first = replay.calendar.day(world.end_hour) - 5 - 21
    rows = list(backtest(cells, BILLING_ZONE, world.end_hour, first_day=date.fromordinal(first)))
    print(f"  backtest of {len(rows) // 24} days x 24 hours {time.process_time() - began:.1f} s")


PARTS: dict[str, Callable[[Sequence[int], int], None]] = {
    "plain": plain,
    "unusual": unusual,
    "terms": terms,
    "ideas": ideas,
    "young": young,
    "cover": cover,
    "speed": speed,
}

if __name__ == "__main__":
    main()
