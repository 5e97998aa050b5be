"""The demo world: a company's use of Google Cloud, and the billing export that reports it late and in parts.

Pure: the same seed, start and incident give the same rows, in any number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from exporter.simulator.google.arrival import Arrivals, Part
from exporter.simulator.google.company import ACCOUNTS
from exporter.simulator.google.corrections import EARLIEST_DAYS, LATEST_DAYS, Correction, Corrections
from exporter.simulator.google.invoice import Invoices, Posting, invoice_month
from exporter.simulator.google.rows import ExportRow, RowMaker, posting_row
from exporter.simulator.google.usage import Incident, Meter, Usage, Use
from exporter.simulator.moment import MICROSECONDS_PER_HOUR, next_month, to_microseconds
from exporter.simulator.variation import BURSTY, ORDINARY, Variation

_DAY: Final = 24 * MICROSECONDS_PER_HOUR
_INCIDENT_FACTOR: Final = 14.0


@dataclass(frozen=True, slots=True)
class Piece:
    """The data of one export row about a meter's hour, without the row around it."""

    exported_microseconds: int
    hour: int
    meter: Meter
    use: Use
    rate: float
    """Units of the billing currency for one US dollar."""
    correction: Correction | None


_Cause = Part | Correction | Posting
_Event = tuple[int, int, int, int, _Cause]
"""Export time, usage hour, meter, number among equals: the order of the export. And the row."""


class World:
    """A company from `start` on; another `seed` gives another company."""

    def __init__(
        self,
        seed: int,
        start: datetime,
        incident: Incident | None = None,
        variation: Variation = ORDINARY,
    ) -> None:
        first_hour = -(-to_microseconds(start) // MICROSECONDS_PER_HOUR)
        self._usage = Usage(seed, first_hour, incident, variation)
        self._arrivals = Arrivals(seed, self._usage.meters, variation)
        self._corrections = Corrections(seed, self._usage.meters)
        self._invoices = Invoices(seed, self._usage)
        self._rows = RowMaker(self._usage.meters)
        self.start: Final = start

    @classmethod
    def ending_at(
        cls,
        now: datetime,
        seed: int = 1,
        past: timedelta = timedelta(days=45),
        incident_began: timedelta = timedelta(hours=30),
        incident_lasts: timedelta = timedelta(hours=72),
    ) -> Self:
        """A world with so much past at `now`, in which a runaway began so long before.

        The runaway lets the support assistant use some 14 times its normal tokens. No length, no runaway.
        Some of its batch work comes in bursts.
        """
        hour = to_microseconds(now) // MICROSECONDS_PER_HOUR
        first = hour - incident_began // timedelta(hours=1)
        incident = Incident(first, first + incident_lasts // timedelta(hours=1), _INCIDENT_FACTOR)
        return cls(seed, now - past, incident, BURSTY)

    def uses(self, hour: int) -> Iterator[tuple[Meter, Use]]:
        """The true use in an hour (counted since the epoch), independent of when it is billed."""
        return self._usage.uses(hour)

    def rows_exported(self, since: datetime, until: datetime) -> Iterator[ExportRow]:
        """Rows of the billing export with export_time in [since, until), in the order of the export."""
        begin, end = to_microseconds(since), to_microseconds(until)
        while begin < end:
            stop = min(end, (begin // _DAY + 1) * _DAY)
            for exported, hour, meter, _number, cause in sorted(self._events(begin, stop)):
                yield from self._rows_of(exported, hour, meter, cause)
            begin = stop

    def _events(self, since: int, until: int) -> Iterator[_Event]:
        for part in self._arrivals.between(since, until, self._usage.first_hour):
            yield part.exported_microseconds, part.hour, part.meter, 0, part
        yield from self._correction_events(since, until)
        yield from self._posting_events(since, until)

    def _correction_events(self, since: int, until: int) -> Iterator[_Event]:
        first_day = max(self._usage.first_hour // 24, since // _DAY - LATEST_DAYS - 2)
        for day in range(first_day, until // _DAY - EARLIEST_DAYS + 1):
            for meter in self._usage.meters:
                found = self._corrections.of_day(meter, day)
                if found is None or not since <= found.exported_microseconds < until:
                    continue
                for hour in range(max(found.first_hour, self._usage.first_hour), found.end_hour):
                    yield found.exported_microseconds, hour, meter.index, 1, found

    def _posting_events(self, since: int, until: int) -> Iterator[_Event]:
        last = self._month_of(until // MICROSECONDS_PER_HOUR)
        month = self._month_of(since // MICROSECONDS_PER_HOUR - 15 * 24)
        while month <= last:
            postings = [p for account in ACCOUNTS.values() for p in self._invoices.postings(account, month)]
            for number, posting in enumerate(postings):
                if since <= posting.exported_microseconds < until:
                    yield posting.exported_microseconds, posting.hour, -1, number, posting
            month = next_month(month)

    def _rows_of(self, exported: int, hour: int, meter_index: int, cause: _Cause) -> Iterator[ExportRow]:
        at = self._usage.moment(hour)
        if isinstance(cause, Posting):
            yield posting_row(cause, self._usage.conversion_rate(cause.account, at))
            return
        month = invoice_month(at.billing_month, exported // MICROSECONDS_PER_HOUR, self._month_of)
        for piece in self._pieces_of(exported, hour, meter_index, cause):
            yield self._rows.usage_row(
                piece.meter,
                piece.use,
                at,
                rate=piece.rate,
                exported_microseconds=exported,
                invoice_month=month,
                correction=piece.correction,
            )

    def _pieces_of(
        self, exported: int, hour: int, meter_index: int, cause: Part | Correction
    ) -> Iterator[Piece]:
        meter = self._usage.meters[meter_index]
        use = self._usage.use(meter, hour)
        if use is None:
            return
        rate = self._usage.conversion_rate(meter.account, self._usage.moment(hour))
        correction = cause if isinstance(cause, Correction) else None
        pieces = cause.rows(use) if isinstance(cause, Correction) else (_slice(use, cause.begin, cause.end),)
        for piece in pieces:
            yield Piece(exported, hour, meter, piece, rate, correction)

    def _month_of(self, hour: int) -> str:
        return self._usage.moment(hour).billing_month


def _slice(use: Use, begin: float, end: float) -> Use:
    """The part of a use between two shares of it; neighbouring parts sum to the whole to the micro-unit."""
    if begin == 0.0 and end == 1.0:
        return use
    return use._replace(
        amount=round(use.amount * end, 9) - round(use.amount * begin, 9),
        cost_micros=_cut(use.cost_micros, begin, end),
        credits=tuple(c._replace(micros=_cut(c.micros, begin, end)) for c in use.credits),
    )


def _cut(micros: int, begin: float, end: float) -> int:
    return round(micros * end) - round(micros * begin)
