"""What a receiver of hourly or daily costs has acknowledged, and which values are to be sent to it.

The ledger itself is the queue: values to send are where its sums differ from what was acknowledged. A value
is stored before it is sent and kept until it is acknowledged: after a crash the same value is sent again.

Receivers keep one value per series and time, and differ in which one. So each time is used once: a
restatement of an hour is a separate sample, earlier in the same hour, and the sum over the hour is right. A
billing day is treated alike: wherever this says hour, it is the period of the outbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.billing_days import LONGEST_SHIFT, shifts
from exporter.ledger.charges.daily_parts import Division
from exporter.ledger.charges.hourly import HOURLY_COLUMNS
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.ledger.outbox_parts import NO_PARTS, padded, parts_of_days
from exporter.ledger.outbox_period import HOUR, Period
from exporter.ledger.outbox_sql import (
    ADD_CORRECTIONS,
    ADD_FIRST_VALUES,
    CHOSEN,
    CORRECT_ACKNOWLEDGED,
    DIFFERENCES,
    KEYS,
    LABELS,
    UNDECIDE,
    UNKNOWN_PARTS,
    UNKNOWN_SERIES,
)

MOST_REFUSALS: Final = 5
"""A sample that was refused this often is set aside until the process restarts."""


class Queued(NamedTuple):
    """One value to send: the first known cost of the hour, or a later change of it."""

    sample_id: int
    labels: tuple[str, ...]
    """Values of HOURLY_COLUMNS, or of the provider and the labels of a division."""
    usage_hour: datetime
    """Aware."""
    revision: int
    """How many earlier values of this hour and these labels were acknowledged."""
    usd: Decimal

    period: Period = HOUR

    @property
    def stamp_ms(self) -> int:
        """Time of its sample, in milliseconds since 1970."""
        return self.period.stamp_ms(self.usage_hour, self.revision)


class Stored(NamedTuple):
    """What a store has of an hour of a series, by its own word."""

    labels: tuple[str, ...]
    usage_hour: datetime
    usd: Decimal


class Outbox:
    """The values for one receiver and period; a ledger has one of each. Every method raises LedgerError."""

    def __init__(
        self,
        ledger: Ledger,
        receiver: str,
        sources: Sequence[str],
        since: datetime,
        *,
        period: Period = HOUR,
        zones: Mapping[str, str] | None = None,
        division: Division | None = None,
        compared: timedelta | None = None,
    ) -> None:
        """Continue with the receiver of that name; a new one gets hours from `since` on.

        Only charges of `sources` count. Samples that were set aside are tried again. `zones` are the billing
        zones by provider, for billing days; others have days of UTC. With a `division` the values are the
        parts of billing days. With `compared`, what is older than that stays as it was sent.
        """
        self._ledger = ledger
        self._sources = list(sources)
        self._zones = dict(zones or {})
        self.period = period
        self.contents = division.name if division else period.unit
        """`hour`, `day` or the name of the division."""
        self._division = division
        self._width = 1 + len(division.labels) if division else len(HOURLY_COLUMNS)
        self._differences = DIFFERENCES["part" if division else period.unit]
        self._parts = NO_PARTS
        self._compare_for = compared
        first = naive_utc(period.first_of(since))
        with ledger.transaction() as connection:
            connection.execute(
                """INSERT INTO remote_receiver
                   SELECT (SELECT coalesce(max(receiver_id), 0) + 1 FROM remote_receiver), $name, $since
                   WHERE NOT EXISTS (FROM remote_receiver WHERE name = $name)""",
                {"name": receiver, "since": first},
            )
            connection.execute(
                "UPDATE remote_receiver SET sent_from = least(sent_from, $since) WHERE name = $name",
                {"name": receiver, "since": first},
            )
            [(receiver_id, sent_from)] = connection.execute(
                "SELECT receiver_id, sent_from FROM remote_receiver WHERE name = ?", [receiver]
            ).fetchall()
            self._receiver: int = receiver_id
            self._sent_from: datetime = sent_from
            connection.execute(
                "UPDATE remote_outbox SET refusals = 0, retry_at = ? WHERE receiver_id = ? AND refusals > 0",
                [_ALWAYS, self._receiver],
            )

    @property
    def sent_from(self) -> datetime:
        """The first hour to send."""
        return self._sent_from.replace(tzinfo=UTC)

    def windows(self, until: datetime) -> Iterator[Window]:
        """Yield windows to compare: hours that are to be sent, are kept, and have ended by `until`."""
        last = self.period.end_of_due(until)
        start = max(self.sent_from, self.period.whole_from(self._ledger.kept_from()))
        if self._compare_for is not None:
            start = max(start, self.period.first_of(until - self._compare_for))
        while start < last:
            end = min(start + self.period.window, last)
            yield start, end
            start = end

    def know_series(self, until: datetime) -> None:
        """Give an id to new series of the ledger; only series with an id are compared.

        Parts of days are read here, and compared as they are now until the next call.
        """
        unknown = UNKNOWN_SERIES
        parameters: Mapping[str, object] = {"sources": self._sources}
        with self._ledger.reading() as connection:
            if self._division is not None:
                view, windows = LedgerView(connection, self._sources), list(self.windows(until))
                self._parts = parts_of_days(view, self._division, self._zones, windows)
                unknown, parameters = UNKNOWN_PARTS, self._parts
            new = connection.execute(f"SELECT 1 FROM ({unknown}) LIMIT 1", parameters).fetchall()
        if new:
            with self._ledger.transaction() as connection:
                connection.execute(
                    f"""INSERT INTO remote_series
                        SELECT (SELECT coalesce(max(remote_series_id), 0) FROM remote_series)
                          + row_number() OVER (), * FROM ({unknown})""",
                    parameters,
                )

    def decide(self, window: Window, now: datetime, limit: int) -> int:
        """Put values of a window's hours into the outbox, at most `limit`; return their number.

        Hours with a value in the outbox, or a refused one, wait until that value is acknowledged.
        """
        with self._ledger.transaction() as connection:
            rows = connection.execute(
                f"""INSERT INTO remote_outbox
                    SELECT (SELECT coalesce(max(sample_id), 0) FROM remote_outbox) + row_number() OVER (),
                      $receiver, remote_series_id, usage_hour, revision, usd, 0, $now
                    FROM ({self._differences}
                      ORDER BY remote_series_id, usage_hour LIMIT {int(limit)})""",
                {**self._compared(window), "now": naive_utc(now)},
            ).fetchall()
            return int(rows[0][0])

    def count_undecided(self, window: Window) -> int:
        """Return how many hours of a window differ from what was acknowledged or is in the outbox."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                f"SELECT count(*) FROM ({self._differences})", self._compared(window)
            ).fetchall()
            return int(rows[0][0])

    def due(self, now: datetime, limit: int) -> list[Queued]:
        """Return values of the outbox that are due now, of few series rather than of few hours."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                f"""SELECT sample_id, {KEYS}, usage_hour, revision, usd
                    FROM remote_outbox JOIN remote_series USING (remote_series_id)
                    WHERE receiver_id = ? AND refusals < ? AND retry_at <= ?
                    ORDER BY remote_series_id, usage_hour LIMIT ?""",
                [self._receiver, MOST_REFUSALS, naive_utc(now), limit],
            ).fetchall()
        return [
            Queued(
                sample_id, tuple(labels[: self._width]), hour.replace(tzinfo=UTC), revision, usd, self.period
            )
            for sample_id, *labels, hour, revision, usd in rows
        ]

    def count_waiting(self) -> tuple[int, int]:
        """Return how many values of the outbox are still to be sent, and how many were refused."""
        with self._ledger.reading() as connection:
            [(waiting, refused)] = connection.execute(
                """SELECT count(*) FILTER (refusals = 0), count(*) FILTER (refusals > 0)
                   FROM remote_outbox WHERE receiver_id = ?""",
                [self._receiver],
            ).fetchall()
            return waiting, refused

    def acknowledge(self, samples: Sequence[Queued]) -> None:
        """Record that the receiver has these values."""
        hours = [each.usage_hour for each in samples]
        chosen = {
            "receiver": self._receiver,
            "ids": [each.sample_id for each in samples],
            "first": naive_utc(min(hours)),
            "last": naive_utc(max(hours)),
        }
        with self._ledger.transaction() as connection:
            if any(each.revision for each in samples):
                connection.execute(ADD_CORRECTIONS, chosen)
            connection.execute(ADD_FIRST_VALUES, chosen)
            connection.execute(
                f"DELETE FROM remote_outbox WHERE {CHOSEN}",
                {"receiver": self._receiver, "ids": chosen["ids"]},
            )

    def refuse(self, samples: Sequence[Queued], now: datetime) -> None:
        """Record that the receiver refused these values.

        They stay in the outbox and are due again an hour later, then after 4, 16 and 64 hours.
        """
        with self._ledger.transaction() as connection:
            connection.execute(
                """UPDATE remote_outbox
                   SET refusals = refusals + 1, retry_at = ?::TIMESTAMP + to_hours((4 ** refusals)::BIGINT)
                   WHERE receiver_id = ? AND sample_id IN (SELECT unnest(?))""",
                [naive_utc(now), self._receiver, [each.sample_id for each in samples]],
            )

    def acknowledged(self, window: Window, by: Period) -> dict[tuple[tuple[str, ...], datetime], Decimal]:
        """Return what was acknowledged, by labels and begin of the UTC hour or day of usage."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                f"""SELECT {KEYS}, date_trunc('{by.unit}', usage_hour) AS began, sum(usd)
                    FROM remote_acknowledged JOIN remote_series USING (remote_series_id)
                    WHERE receiver_id = ? AND usage_hour >= ? AND usage_hour < ? GROUP BY ALL""",
                [self._receiver, naive_utc(window[0]), naive_utc(window[1])],
            ).fetchall()
        return {(tuple(labels[: self._width]), _aware(began)): usd for *labels, began, usd in rows}

    def correct(self, stored: Sequence[Stored]) -> None:
        """Take the store's word for what it has of these hours: the rest is decided and sent again.

        Each hour's next value has a time of its own, since the store may have a sample at the one before.
        """
        with self._ledger.transaction() as connection:
            for each in stored:
                chosen = {
                    "receiver": self._receiver,
                    "hour": naive_utc(each.usage_hour),
                    "usd": each.usd,
                    **dict(zip(LABELS, padded(each.labels), strict=True)),
                }
                connection.execute(CORRECT_ACKNOWLEDGED, chosen)
                connection.execute(UNDECIDE, {name: chosen[name] for name in chosen if name != "usd"})

    def forget_old(self) -> None:
        """Remove acknowledgements of hours whose charges are deleted: they cannot change any more."""
        oldest = naive_utc(self._ledger.kept_from())
        with self._ledger.reading() as connection:
            old = connection.execute(
                "SELECT 1 FROM remote_acknowledged WHERE usage_hour < ? LIMIT 1", [oldest]
            ).fetchall()
        if old:
            with self._ledger.transaction() as connection:
                connection.execute("DELETE FROM remote_acknowledged WHERE usage_hour < ?", [oldest])

    def _compared(self, window: Window) -> dict[str, object]:
        start, end = window
        compared: dict[str, object] = {
            "receiver": self._receiver,
            "start": naive_utc(start),
            "end": naive_utc(end),
        }
        if self._division is not None:
            return {**compared, **self._parts}
        compared["sources"] = self._sources
        if self.period is HOUR:
            return compared
        read = start - LONGEST_SHIFT, end + LONGEST_SHIFT
        used = {"used_from": naive_utc(read[0]), "used_until": naive_utc(read[1])}
        return {**compared, **used, **shifts(self._zones, read)}


_ALWAYS: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (the ledger's times are UTC without a zone)


def _aware(moment: datetime | date) -> datetime:
    """DuckDB's date_trunc returns a date for a day."""
    return datetime(moment.year, moment.month, moment.day, getattr(moment, "hour", 0), tzinfo=UTC)
