"""Source `litellm`: what a LiteLLM proxy reports as spent, by team, key alias and model.

Attribution only: the providers' bills have the same dollars, so nothing of this is ever added to a total.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final

from exporter.core.backoff import Backoff
from exporter.core.charges import UsagePoint
from exporter.core.errors import SourceError
from exporter.sources.base import (
    Finding,
    HoursRead,
    RefreshContext,
    Source,
    UsageAddition,
    UsageBatch,
    UsageChange,
)
from exporter.sources.http.json_api import ApiError, JsonApi
from exporter.sources.litellm import activity as litellm_activity
from exporter.sources.litellm.activity import Activity, ActivityReader
from exporter.sources.litellm.metrics import PATH, Seen, read_increase
from exporter.sources.litellm.usage import HOUR, UNITS, Caller, points_of
from exporter.sources.patience import patience_of
from exporter.sources.spool import write_usage_csv

_DAY: Final = timedelta(days=1)
_TRAILING_DAYS: Final = 3
"""Days that are read again: the proxy writes its days late, and books late calls on the day they began."""
_DAYS_AT_ONCE: Final = 30
_TEAMS_KEPT: Final = timedelta(hours=1)
_METRICS_PARTITION: Final = "/metrics"
_READINESS: Final = "/health/readiness"


@dataclass(frozen=True, slots=True)
class ReadingMode:
    """Which of the two ways of reading a proxy is used."""

    activity: bool
    """Daily activity from the proxy's database; else the counters at /metrics."""
    why: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """Cursor of one team and meter: up to which day activity was read, and the ids behind the team's name."""

    day: date
    team_ids: frozenset[str]

    def __str__(self) -> str:
        return json.dumps({"day": self.day.isoformat(), "team_ids": sorted(self.team_ids)})

    @classmethod
    def parse(cls, text: str) -> _Mark:
        """Read what str() gave."""
        content = json.loads(text)
        return cls(date.fromisoformat(content["day"]), frozenset(content["team_ids"]))


@dataclass(slots=True)
class LiteLLMSource(Source):
    """Usage as one LiteLLM proxy attributes it."""

    url: str
    """Scheme, host and port, and the path where the proxy is served below one."""
    key: Callable[[], str] | None = field(default=None, repr=False)
    """The master key or that of an admin or admin viewer, read at each refresh. For /metrics alone any
    key will do, or none where the proxy needs none."""
    update_interval: timedelta = timedelta(minutes=5)
    """How often it is refreshed."""
    backfill: timedelta = timedelta(days=90)
    """How far back the first reading of daily activity goes."""
    config_key: str = "llm.litellm.key"
    """What errors name."""
    attempt_seconds: float = 30.0
    call_seconds: float = 60.0
    """For one call with all its attempts."""
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    name: str = "litellm"
    """Label value of `source`; of several proxies each has its own."""
    provider: str = field(default="litellm", init=False)
    """Its points carry the provider that was called."""
    _team_names: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _team_names_until: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False, repr=False)

    def refresh(self, context: RefreshContext) -> Iterator[UsageChange]:
        """Yield the trailing days of activity, or what the counters rose by. Raises SourceError."""
        with self._api(context) as api:
            if self._mode(api, context).activity:
                yield self._read_days(api, context)
            else:
                yield self._read_counters(api, context)

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Report how the proxy is read and what it reports."""
        with self._api(context) as api:
            try:
                mode = self._mode(api, context)
                yield Finding(True, "proxy", f"it answers; {mode.why}", warning=not mode.activity)
                if mode.activity:
                    callers = {caller for _, caller in self._activity(api, context).amounts}
                else:
                    callers = set(read_increase(api.get_text(PATH), None, context.now).callers)
            except SourceError as error:
                yield Finding(False, "proxy", str(error))
                return
        if self.key is not None:
            yield Finding(True, "key", "it is accepted")
        yield _usage(callers)

    def _api(self, context: RefreshContext) -> JsonApi:
        return JsonApi(
            base_url=self.url,
            headers=self._headers,
            name="LiteLLM",
            config_key=self.config_key,
            tally=context.tally,
            backoff=patience_of(self, context, Backoff(call_seconds=self.call_seconds)),
            timeout_seconds=self.attempt_seconds,
            now=lambda: context.now,
        )

    def _headers(self) -> Mapping[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key()}"}

    def _mode(self, api: JsonApi, context: RefreshContext) -> ReadingMode:
        """Choose by what answers. Activity once read stays: counters would report the same usage again."""
        if _marks(context.known):
            if not litellm_activity.sees_everybody(api):
                # It would replace what all users spent by what one spent.
                raise SourceError(
                    "permission_denied",
                    f"LiteLLM: the key in {self.config_key} no longer belongs to an admin and sees only one "
                    "user; give the key of an admin or admin viewer again",
                )
            return ReadingMode(True, f"{litellm_activity.PATH} is read, as before")
        if self.key is None:
            return ReadingMode(False, f"no key is configured, so {PATH} is read, which has no history")
        if _has_no_database(api):
            return ReadingMode(False, f"it has no database, so {PATH} is read, which has no history")
        try:
            if litellm_activity.sees_everybody(api):
                return ReadingMode(True, f"{litellm_activity.PATH} is read")
        except ApiError as error:
            if error.status == 404 or "DB not connected" in str(error):
                return ReadingMode(False, f"it has no {litellm_activity.PATH}, so {PATH} is read")
            raise
        why = (
            f"the key in {self.config_key} does not belong to an admin and sees only one user, so {PATH} is "
            "read"
        )
        return ReadingMode(False, why)

    def _read_days(self, api: JsonApi, context: RefreshContext) -> UsageBatch:
        activity = self._activity(api, context)
        first, today = self._span(context)
        points = chain.from_iterable(
            points_of(caller, amounts, _start(day)) for (day, caller), amounts in activity.amounts.items()
        )
        path, rows = _spooled(context, points)
        team_ids = {team: set(mark.team_ids) for team, mark in _marks(context.known).items()}
        for team, ids in activity.team_ids.items():
            team_ids.setdefault(team, set()).update(ids)
        # What counters reported for these days is replaced too: the proxy may have got a database since.
        counted = _seen(context.known)
        for team in counted.teams if counted else ():
            team_ids.setdefault(team, set())
        until = context.now.replace(minute=0, second=0, microsecond=0) + HOUR
        reads = tuple(
            HoursRead(
                project_id=team,
                meter=meter,
                since=_start(first),
                until=until,
                through=context.now,
                cursor=str(_Mark(today, frozenset(ids))),
            )
            # Without any team at all there is still the cursor, so that the way of reading stays.
            for team, ids in sorted((team_ids or {"": set()}).items())
            for meter in UNITS
        )
        return UsageBatch(reads, path, rows, tuple(activity.rejected))

    def _activity(self, api: JsonApi, context: RefreshContext) -> Activity:
        """Read the days that are due."""
        if context.now >= self._team_names_until:
            self._team_names |= {
                team_id: team
                for team, mark in _marks(context.known).items()
                for team_id in mark.team_ids
                # A team that was deleted has no alias any more; its usage keeps the one it had.
                if team != team_id
            }
            self._team_names |= litellm_activity.read_team_names(api)
            self._team_names_until = context.now + _TEAMS_KEPT
        reader = ActivityReader(api, self._team_names)
        first, today = self._span(context)
        found = Activity()
        while first <= today:
            last = min(first + (_DAYS_AT_ONCE - 1) * _DAY, today)
            context.tally.progress(f"reading the proxy's activity from {first} to {last}")
            found.merge(reader.read(first, last))
            first = last + _DAY
        return found

    def _span(self, context: RefreshContext) -> tuple[date, date]:
        """First and last day to read, in UTC."""
        now = context.now.astimezone(UTC)
        marks = _marks(context.known).values()
        behind = min((mark.day for mark in marks), default=None)
        first = (now - self.backfill).date() if behind is None else behind - (_TRAILING_DAYS - 1) * _DAY
        oldest = context.oldest_kept.astimezone(UTC)
        # Of a day that is kept in part, the first hour may be gone, and it has the day's amounts.
        oldest_day = oldest.date() if oldest == _start(oldest.date()) else oldest.date() + _DAY
        return min(max(first, oldest_day), now.date()), now.date()

    def _read_counters(self, api: JsonApi, context: RefreshContext) -> UsageAddition:
        increase = read_increase(api.get_text(PATH), _seen(context.known), context.now)
        hour = context.now.replace(minute=0, second=0, microsecond=0)
        points = chain.from_iterable(
            points_of(caller, amounts, hour) for caller, amounts in increase.amounts.items()
        )
        path, rows = _spooled(context, points)
        return UsageAddition(_METRICS_PARTITION, increase.seen.to_json(), path, rows, increase.rejected)


def _has_no_database(api: JsonApi) -> bool:
    """Checked first, since without one the proxy answers as if it had failed."""
    try:
        return api.get(_READINESS).get("db") == "Not connected"
    except ApiError as error:
        if error.status is None or error.reason in ("unavailable", "rate_limited", "timeout"):
            raise
        return False


def _marks(known: Mapping[str, str]) -> dict[str, _Mark]:
    """By team; its name may contain slashes."""
    return {
        partition.rpartition("/")[0]: _Mark.parse(cursor)
        for partition, cursor in known.items()
        if partition.rpartition("/")[2] in UNITS
    }


def _seen(known: Mapping[str, str]) -> Seen | None:
    cursor = known.get(_METRICS_PARTITION)
    return None if cursor is None else Seen.from_json(cursor)


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _spooled(context: RefreshContext, points: Iterator[UsagePoint]) -> tuple[Path, int]:
    path = context.spool / "litellm.csv"
    rows: Sequence[UsagePoint] = list(points)
    return write_usage_csv(path, rows), len(rows)


def _usage(callers: set[Caller]) -> Finding:
    if not callers:
        return Finding(True, "usage", "it reports no calls yet", warning=True)
    teams = sorted({caller.team or "(none)" for caller in callers})
    models = sorted({f"{caller.model or '(none)'} ({caller.provider})" for caller in callers})
    return Finding(True, "usage", f"teams: {_some(teams)}; models: {_some(models)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
