"""Which intervals of a metric to read: what is new, what may have been late, and at which resolution.

Pure: from a cursor, the clock and the metric's own timing to intervals of whole periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from exporter.core.meters import UsageMeter

HOUR: Final = timedelta(hours=1)
_HOUR_SECONDS: Final = 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FINE: Final = timedelta(hours=2)
"""How far back points of minutes are wanted: enough for a trailing hour; older usage is read by the hour."""
_HELD_SAMPLES: Final = 2
"""For how many of its sample periods a rare sample holds, when the next one does not come."""
_BY_REVISION: Final = "revision"
_BY_SERVICE: Final = "service"


@dataclass(frozen=True, slots=True)
class Timing:
    """How a metric is sampled, as its descriptor says."""

    sample_seconds: float = 60.0
    ingest_delay_seconds: float = 240.0
    """After sampling, points are not to be seen for so long."""


_LONGEST_SECONDS: Final = 40 * 24 * 3600


def timing_of(sample_seconds: int, ingest_delay_seconds: int) -> Timing:
    """Return the timing that a descriptor states; the usual one in place of what cannot be true."""
    usual = Timing()
    return Timing(
        float(sample_seconds) if 0 < sample_seconds <= _LONGEST_SECONDS else usual.sample_seconds,
        float(ingest_delay_seconds)
        if 0 <= ingest_delay_seconds <= _LONGEST_SECONDS
        else usual.ingest_delay_seconds,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back reading goes."""

    late: timedelta = HOUR
    """Points that arrive so late still count: that much before the cursor is read again."""
    backfill: timedelta = timedelta(days=35)
    """On a first run, and at most after an outage. Google keeps its own metrics for six weeks."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One request's worth: points that end in (since, until], one for each period."""

    since: datetime
    until: datetime
    period_seconds: int
    by_revision: bool


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What to read of one meter of one project now."""

    stretches: tuple[Stretch, ...]
    first_hour: datetime
    end_hour: datetime
    """End of the last hour, of which the points may only have begun."""
    through: datetime
    """End of the last requested point."""
    cursor: str
    gap: tuple[datetime, datetime] | None
    """Usage that can be read no more."""


_Ways = tuple[tuple[datetime, bool], ...]
"""From which hour on usage is held by revision (True) or by service, oldest first."""


@dataclass(frozen=True, slots=True)
class _Cursor:
    through: datetime
    ways: _Ways


def period_seconds(meter: UsageMeter, timing: Timing) -> int:
    """Shortest period that divides an hour and holds at least one sample; an hour at most."""
    wanted = max(meter.period_seconds, timing.sample_seconds)
    divisors = (60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800)
    return next((each for each in divisors if each >= wanted), _HOUR_SECONDS)


def held_for(meter: UsageMeter, timing: Timing) -> timedelta:
    """How long one sample of a level counts where samples are further apart than an hour, else nothing."""
    if meter.kind != "level" or timing.sample_seconds <= _HOUR_SECONDS:
        return timedelta(0)
    return timedelta(seconds=_HELD_SAMPLES * timing.sample_seconds)


def plan_read(
    meter: UsageMeter,
    timing: Timing,
    reach: Reach,
    known: str | None,
    *,
    now: datetime,
    oldest_kept: datetime,
    by_revision: bool,
) -> ReadPlan | None:
    """Return what to read, or None where the metric cannot have changed since the cursor."""
    period = period_seconds(meter, timing)
    through = floor_to(now - timedelta(seconds=timing.ingest_delay_seconds), period)
    cursor = _parse(known)
    earliest = max(hour_of(now - reach.backfill), hour_of(oldest_kept - timedelta(seconds=1)) + HOUR)
    begin, gap, wanted = earliest, None, by_revision and bool(meter.revision)
    ways: _Ways = ((earliest, wanted),)
    if cursor is not None:
        if through <= cursor.through:
            return None
        late = max(reach.late, held_for(meter, timing))
        begin = max(hour_of(cursor.through - late), earliest)
        gap = (cursor.through, earliest) if cursor.through < earliest else None
        ways = _switched(cursor, wanted)
    if begin >= through:
        return None
    # Of the ways that began before all that is read, the last one matters.
    ways = (*(way for way, after in pairwise(ways) if after[0] > begin), ways[-1])
    return ReadPlan(
        stretches=tuple(_stretches(begin, through, period, ways)),
        first_hour=begin,
        end_hour=ceil_hour(through),
        through=through,
        cursor=_text(_Cursor(through, ways)),
        gap=gap,
    )


def _switched(cursor: _Cursor, wanted: bool) -> _Ways:
    """The ways of holding usage, the last one being the wanted one.

    A switch takes effect with the next hour: a whole hour is held in one way, so nothing is counted twice.
    """
    if cursor.ways[-1][1] == wanted:
        return cursor.ways
    next_hour = ceil_hour(cursor.through)
    begun = tuple(way for way in cursor.ways if way[0] < next_hour)
    if begun and begun[-1][1] == wanted:
        return begun
    return (*begun, (next_hour, wanted))


def _stretches(begin: datetime, through: datetime, period: int, ways: _Ways) -> list[Stretch]:
    fine_from = max(begin, hour_of(through - _FINE))
    cuts = {begin, fine_from, through} | {hour for hour, _ in ways if begin < hour < through}
    found = []
    for since, until in pairwise(sorted(cuts)):
        way = [by_revision for hour, by_revision in ways if hour <= since]
        found.append(
            Stretch(
                since,
                until,
                period if since >= fine_from else _HOUR_SECONDS,
                way[-1] if way else ways[0][1],
            )
        )
    return found


def _text(cursor: _Cursor) -> str:
    ways = [f"{_BY_REVISION if way else _BY_SERVICE}@{hour:%Y-%m-%dT%H}Z" for hour, way in cursor.ways]
    return f"{cursor.through:%Y-%m-%dT%H:%M}Z {' '.join(ways)}"


def _parse(known: str | None) -> _Cursor | None:
    """Read a cursor; one of an unknown form counts as none, so that everything is read again."""
    try:
        through, *ways = (known or "").split()
        parted = [way.split("@") for way in ways]
        cursor = _Cursor(
            _utc(through, "%Y-%m-%dT%H:%MZ"),
            tuple((_utc(hour, "%Y-%m-%dT%HZ"), name == _BY_REVISION) for name, hour in parted),
        )
    except ValueError:
        return None
    return cursor if cursor.ways else None


def _utc(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def floor_to(moment: datetime, seconds: float) -> datetime:
    """The latest whole period, counted from midnight UTC, that began at or before a moment."""
    passed = (moment - _EPOCH) // timedelta(seconds=seconds)
    return _EPOCH + passed * timedelta(seconds=seconds)


def hour_of(moment: datetime) -> datetime:
    """Start of the hour that a moment lies in."""
    return floor_to(moment, _HOUR_SECONDS)


def ceil_hour(moment: datetime) -> datetime:
    """The first whole hour at or after a moment."""
    start = hour_of(moment)
    return start if start == moment else start + HOUR
