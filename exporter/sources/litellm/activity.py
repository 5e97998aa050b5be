"""Reads the daily activity that a LiteLLM proxy keeps in its database: exact, by day, and kept over restarts.

`GET /user/daily/activity` lists models and providers separately, so with several providers each model is
requested by itself. Its shape is that of LiteLLM 1.106.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from exporter.core.errors import SourceError
from exporter.sources.base import Rejected
from exporter.sources.http.json_api import ApiError, JsonApi, Params
from exporter.sources.litellm.usage import (
    CACHE_READ,
    CACHE_WRITE,
    INPUT,
    LARGEST,
    OUTPUT,
    REQUESTS,
    USD,
    Amounts,
    Caller,
    add,
    provider_name,
    without_cache,
)

PATH: Final = "/user/daily/activity"
_TEAMS: Final = "/v2/team/list"
_PAGE_SIZE: Final = 1000
"""Most that the proxy allows: rows of its database, one by day, user, key, model, provider and endpoint."""
_TEAMS_PAGE_SIZE: Final = 100
_TRIES: Final = 3
"""Readings of one day's pages, which shift while rows are added."""

_FIELDS: Final = {
    "spend": USD,
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "cache_read_input_tokens": CACHE_READ,
    "cache_creation_input_tokens": CACHE_WRITE,
    # Refused calls cost nothing; /metrics does not count them either.
    "successful_requests": REQUESTS,
}

Json = Mapping[str, object]


@dataclass(slots=True)
class Activity:
    """What was read of some days."""

    amounts: dict[tuple[date, Caller], Amounts] = field(default_factory=lambda: defaultdict(dict))
    """Input without cached tokens."""
    team_ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids by team, as reported."""
    rejected: list[Rejected] = field(default_factory=list)

    def put(self, when: date, caller: Caller, amounts: Amounts) -> None:
        """Add what one caller used on one day."""
        if any(amounts.values()):
            add(self.amounts[when, caller], amounts)

    def merge(self, other: Activity) -> None:
        """Take in what was read of other days."""
        self.amounts.update(other.amounts)
        for team, ids in other.team_ids.items():
            self.team_ids[team] |= ids
        self.rejected += other.rejected


@dataclass(frozen=True, slots=True)
class _Key:
    team_id: str
    alias: str


@dataclass(slots=True)
class ActivityReader:
    """Reads days of activity from one proxy. All methods raise SourceError."""

    api: JsonApi
    team_names: Mapping[str, str]
    """Alias by team id, of those that have one."""

    def read(self, first: date, last: date) -> Activity:
        """Read the days from `first` to `last`, both of them included."""
        found = Activity()
        days = list(self._days(first, last, {}))
        providers = {name for _, day in days for name in _object(day, "providers")}
        for when, breakdown in days:
            self._take_models(found, when, breakdown, providers)
        if len(providers) > 1:
            for model in sorted({name for _, day in days for name in _object(day, "models")}):
                for when, breakdown in self._days(first, last, {"model": model}):
                    self._take_providers(found, when, breakdown, model)
        for amounts in found.amounts.values():
            without_cache(amounts)
        return found

    def _take_models(self, found: Activity, when: date, breakdown: Json, providers: set[str]) -> None:
        """Take what belongs to no model, and all models where they have one provider."""
        only = next(iter(providers)) if len(providers) == 1 else ""
        rest: dict[_Key, Amounts] = defaultdict(dict)
        for key, amounts in self._by_key(found, when, _object(breakdown, "api_keys")):
            add(rest[key], amounts)
        for model, entry in _entries(breakdown, "models"):
            for key, amounts in self._by_key(found, when, _object(entry, "api_key_breakdown")):
                add(rest[key], {name: -value for name, value in amounts.items()})
                if only:
                    found.put(when, self._caller(key, only, model), amounts)
        for key, amounts in rest.items():
            # Calls of tools have no model.
            left = {name: value for name, value in amounts.items() if value > 0}
            found.put(when, self._caller(key, only, ""), left)

    def _take_providers(self, found: Activity, when: date, breakdown: Json, model: str) -> None:
        """Take one model, requested by itself, from each of its providers."""
        for provider, entry in _entries(breakdown, "providers"):
            for key, amounts in self._by_key(found, when, _object(entry, "api_key_breakdown")):
                found.put(when, self._caller(key, provider, model), amounts)

    def _caller(self, key: _Key, provider: str, model: str) -> Caller:
        return Caller(
            provider=provider_name(provider, model),
            team=self._team(key),
            key_alias=key.alias,
            model=model,
        )

    def _team(self, key: _Key) -> str:
        return self.team_names.get(key.team_id, key.team_id)

    def _by_key(self, found: Activity, when: date, keys: Json) -> Iterator[tuple[_Key, Amounts]]:
        """Yield what each key used; the hashes of keys go no further."""
        for _, entry in _entries({"keys": keys}, "keys"):
            metadata = _object(entry, "metadata")
            try:
                amounts = _amounts(_object(entry, "metrics"))
            except ValueError as error:
                detail = f"{error}; what this key used is left out"
                found.rejected.append(Rejected("bad_amount", 1, f"{PATH} {when}", detail))
                continue
            key = _Key(_text(metadata.get("team_id")), _text(metadata.get("key_alias")))
            found.team_ids[self._team(key)] |= {key.team_id} - {""}
            yield key, amounts

    def _days(self, first: date, last: date, where: Params) -> Iterator[tuple[date, Json]]:
        """Yield the breakdowns of the days. A day that has several pages comes in several parts."""
        page, more, _ = self._page(first, last, where, 1)
        if not more:
            yield from page
        elif first < last:
            # Rows that are added between two pages shift the pages. Only the day that is open gets rows, so
            # settled days are safe by themselves.
            middle = first + (last - first) // 2
            yield from self._days(first, middle, where)
            yield from self._days(middle + timedelta(days=1), last, where)
        else:
            yield from self._pages(first, where)

    def _pages(self, day: date, where: Params) -> list[tuple[date, Json]]:
        """Read all pages of one day, again if their number changes meanwhile."""
        for _ in range(_TRIES):
            parts, more, expected = self._page(day, day, where, 1)
            number, steady = 1, True
            while more and steady:
                number += 1
                part, more, total = self._page(day, day, where, number)
                parts += part
                steady = total == expected and number <= expected
            if steady:
                return parts
        raise SourceError(
            "bad_response",
            f"LiteLLM: the pages of {day} at {PATH} changed while they were read; it is tried again at the "
            "next refresh",
        )

    def _page(
        self, first: date, last: date, where: Params, number: int
    ) -> tuple[list[tuple[date, Json]], bool, int]:
        """Return the days on a page, whether more pages follow, and how many there are."""
        params = {
            **where,
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
            "page": number,
            "page_size": _PAGE_SIZE,
        }
        answer = self.api.get(PATH, params)
        metadata = _object(answer, "metadata")
        if metadata.get("page", number) != number:
            raise _bad(f"page {number} was requested and page {metadata.get('page')} came")
        results = answer.get("results")
        if not isinstance(results, list):
            raise _bad("`results` is not a list")
        days: list[tuple[date, Json]] = []
        for each in results:
            if not isinstance(each, dict):
                raise _bad("a day is not an object")
            try:
                day = date.fromisoformat(str(each.get("date")))
            except ValueError:
                raise _bad(f"{str(each.get('date'))[:40]!r} is not a date") from None
            if first <= day <= last:
                days.append((day, _object(each, "breakdown")))
        pages = metadata.get("total_pages", number)
        return days, metadata.get("has_more") is True, pages if isinstance(pages, int) else number


def read_team_names(api: JsonApi) -> dict[str, str]:
    """Return the aliases of teams by id; nothing where the key or the proxy's version cannot list them."""
    names: dict[str, str] = {}
    number, pages = 1, 1
    while number <= pages:
        try:
            answer = api.get(_TEAMS, {"page": number, "page_size": _TEAMS_PAGE_SIZE})
        except ApiError as error:
            # For good, as far as can be known: anything else must not swap aliases for ids.
            if error.status in (403, 404):
                return {}
            raise
        teams, total = answer.get("teams"), answer.get("total_pages")
        if not isinstance(teams, list) or not isinstance(total, int):
            raise _bad("the list of teams is not in the expected form", _TEAMS)
        for team in teams:
            if isinstance(team, dict) and _text(team.get("team_alias")):
                names[_text(team.get("team_id"))] = _text(team.get("team_alias"))
        number, pages = number + 1, total
    return names


def sees_everybody(api: JsonApi) -> bool:
    """Whether the key may see all users' activity: a user's own key silently gets only that user's."""
    today = api.now().date().isoformat()
    params = {"start_date": today, "end_date": today, "user_id": "spend-exporter-sees-everybody"}
    try:
        api.get(PATH, {**params, "page_size": 1})
    except ApiError as error:
        if error.status == 403:
            return False
        raise
    return True


def _amounts(metrics: Json) -> Amounts:
    """Raise ValueError where a value is not a number, is not finite or is negative."""
    amounts: Amounts = {}
    for name, key in _FIELDS.items():
        value = metrics.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(f"`{name}` is {str(value)[:40]!r} and not a number")  # noqa: TRY004
        if value < 0:
            raise ValueError(f"`{name}` is negative")
        if not value < LARGEST:
            raise ValueError(f"`{name}` is too large to be true")
        amounts[key] = Decimal(value)
    return amounts


def _object(parent: Json, name: str) -> dict[str, object]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _bad(f"`{name}` is not an object")
    return value


def _entries(parent: Json, name: str) -> Iterator[tuple[str, Json]]:
    for key, entry in _object(parent, name).items():
        if not isinstance(entry, dict):
            raise _bad(f"an entry of `{name}` is not an object")
        yield key, entry


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _bad(what: str, path: str = PATH) -> SourceError:
    return SourceError(
        "bad_response",
        f"LiteLLM: the answer of {path} cannot be used: {what}; check that it comes from the proxy itself, "
        "and the proxy's version",
    )
