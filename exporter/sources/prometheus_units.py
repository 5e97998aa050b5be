"""Numbers of the user's own business, such as orders a day, read from their Prometheus by a query.

A query is evaluated at the end of a billing day, so that `[1d]` in it is that day.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from exporter.core.backoff import REQUEST_SECONDS
from exporter.core.printable import host_of, shown_line

CONNECT_SECONDS: Final = 5.0

LARGEST_ANSWER_BYTES: Final = 64 * 1024
"""One number is a few hundred bytes; what is longer is something else."""

_LONGEST_SHOWN: Final = 200
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class UnitQuery:
    """The query for the number of a unit."""

    unit: str
    promql: str
    prometheus: str = field(repr=False)
    """Address of the server, without a slash at the end."""


@dataclass(frozen=True, slots=True)
class UnitFailure:
    """Why there is no number."""

    reason: str
    """One word: unreachable, timeout, refused, bad_query, bad_answer, no_value, many_values or bad_value."""
    text: str
    """What failed, why, and what to do."""


class _NoNumberError(Exception):
    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class UnitCounts:
    """The numbers of all configured units. `read` takes as long as the servers do: call it aside."""

    queries: Sequence[UnitQuery]
    timezone: str = "UTC"
    """IANA name of the zone by whose days units are counted: that of the bill they are compared with."""
    answer_seconds: float = REQUEST_SECONDS
    """For the whole answer, however slowly it drips."""

    def read(self, now: datetime) -> Mapping[str, float | UnitFailure]:
        """Return each unit's number over yesterday, or why there is none."""
        at = end_of_yesterday(now, self.timezone)
        return {query.unit: self._number(query, at) for query in self.queries}

    def read_days(self, query: UnitQuery, days: Sequence[date]) -> Mapping[date, float] | UnitFailure:
        """Return the numbers of consecutive past days, without those for which there is none."""
        found: dict[date, float] = {}
        try:
            for ends in _even(days, self.timezone):
                asked = {"start": str(min(ends)), "end": str(max(ends)), "step": str(_DAY_SECONDS)}
                values = _values(_data(self._answer(query, "query_range", asked)))
                found |= {day: values[at] for at, day in ends.items() if at in values}
        except _NoNumberError as error:
            return _failure(query, error)
        return found

    def _number(self, query: UnitQuery, at: datetime) -> float | UnitFailure:
        try:
            data = _data(self._answer(query, "query", {"time": f"{at.timestamp():.0f}"}))
            return _checked(_value(data))
        except _NoNumberError as error:
            return _failure(query, error)

    def _answer(self, query: UnitQuery, endpoint: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the answer."""
        import requests  # noqa: PLC0415 - loaded only where units are configured

        from exporter.sources.http.deadline import cuttable, within  # noqa: PLC0415 - as above

        late = f"did not answer within {self.answer_seconds:g} s: make the query cheaper"

        def ask() -> tuple[int, bytes]:
            with session.get(
                f"{query.prometheus}/api/v1/{endpoint}",
                params={"query": query.promql, **asked},
                headers={"Accept": "application/json"},
                timeout=(min(CONNECT_SECONDS, self.answer_seconds), self.answer_seconds),
                stream=True,
            ) as response:
                return response.status_code, _gathered(response.iter_content(LARGEST_ANSWER_BYTES))

        try:
            with cuttable(requests.Session()) as session:
                return within(self.answer_seconds, ask, session)
        except requests.Timeout:
            raise _NoNumberError("timeout", late) from None
        except requests.RequestException as error:
            text = f"cannot be read ({_cause(error)}): check unit_costs' prometheus and that it is up"
            raise _NoNumberError("unreachable", text) from None


def _gathered(pieces: Iterable[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > LARGEST_ANSWER_BYTES:
            text = f"answered more than {LARGEST_ANSWER_BYTES // 1024} KiB: {_ONE_NUMBER}"
            raise _NoNumberError("many_values", text)
    return bytes(body)


def end_of_yesterday(now: datetime, timezone: str) -> datetime:
    """Return the time at which the day before that of `now` ended in a zone."""
    zone = ZoneInfo(timezone)
    return datetime.combine(now.astimezone(zone).date(), datetime.min.time(), tzinfo=zone).astimezone(UTC)


def _even(days: Sequence[date], timezone: str) -> Iterator[dict[int, date]]:
    """Yield the days by the Unix time of their end, in runs without a change of the clocks."""
    run: dict[int, date] = {}
    for day in days:
        end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone))
        at = int(end.timestamp())
        if run and at - _DAY_SECONDS not in run:
            yield run
            run = {}
        run[at] = day
    if run:
        yield run


def _failure(query: UnitQuery, error: _NoNumberError) -> UnitFailure:
    return UnitFailure(error.reason, f"unit_costs.{query.unit}: {host_of(query.prometheus)} {error}")


_ONE_NUMBER: Final = "the query must give one number, for example sum(increase(orders_total[1d]))"


def _data(response: tuple[int, bytes]) -> object:
    """The data of a successful answer."""
    status, body = response
    answer: Any = None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
        reason, what = (
            _bad_status(status) if status != 200 else ("bad_answer", "did not answer like Prometheus")
        )
        raise _NoNumberError(reason, f"{what}: check unit_costs' prometheus")
    if answer["status"] == "error":
        said = ": ".join(str(answer[key]) for key in ("errorType", "error") if answer.get(key))
        reason = "bad_query" if status in (400, 422) else "refused"
        raise _NoNumberError(reason, f"refused the query ({_shortened(said)}): check unit_costs' promql")
    return answer.get("data")


def _bad_status(status: int) -> tuple[str, str]:
    if status in (401, 403):
        return "refused", f"answered {status}, so it requires credentials, which the exporter does not have"
    return "refused", f"answered {status}"


def _value(data: object) -> object:
    """The one value of a scalar or of a vector with one element."""
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind == "vector" and isinstance(result, list):
        if not result:
            raise _NoNumberError(
                "no_value", "has nothing for the query: check that the metric existed yesterday"
            )
        if len(result) > 1:
            raise _NoNumberError("many_values", f"has {len(result)} values for the query: {_ONE_NUMBER}")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    elif kind in ("matrix", "string"):
        raise _NoNumberError("bad_value", f"answers the query with a {kind}: {_ONE_NUMBER}")
    if not isinstance(result, list) or len(result) != 2:
        raise _NoNumberError("bad_answer", f"did not answer like Prometheus: {_ONE_NUMBER}")
    return result[1]


def _values(data: object) -> dict[int, float]:
    """The numbers of the one series of a matrix, by Unix time, without what is no number of units."""
    result = data.get("result") if isinstance(data, dict) and data.get("resultType") == "matrix" else None
    if not isinstance(result, list):
        raise _NoNumberError("bad_answer", f"did not answer like Prometheus: {_ONE_NUMBER}")
    if len(result) > 1:
        raise _NoNumberError("many_values", f"has {len(result)} values for the query: {_ONE_NUMBER}")
    found: dict[int, float] = {}
    for series in result:
        try:
            for at, value in series["values"]:
                number = float(value)
                if math.isfinite(number) and number >= 0:
                    found[round(at)] = number
        except (TypeError, ValueError, KeyError, OverflowError):
            raise _NoNumberError("bad_answer", f"did not answer like Prometheus: {_ONE_NUMBER}") from None
    return found


def _checked(value: object) -> float:
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise _NoNumberError(
            "bad_value", f"returned {_shortened(str(value))}, which is not a number of units"
        )
    return number


def _cause(error: Exception) -> str:
    """The kind of failure, in words: the text of the error would repeat the address with its query."""
    words = {
        "SSLError": "TLS failed",
        "ConnectTimeout": "no connection in time",
        "ConnectionError": "no connection",
        "ChunkedEncodingError": "the answer broke off",
        "TooManyRedirects": "it redirects for ever",
    }
    return words.get(type(error).__name__, type(error).__name__)


def _shortened(text: str) -> str:
    line = shown_line(" ".join(text.split()))
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…"
