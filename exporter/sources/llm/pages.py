"""Reads the usage and cost reports of LLM providers: pages of time buckets, each with a list of results.

What cannot be used is set aside and counted; a report that repeats itself or has no end is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from itertools import chain
from typing import TYPE_CHECKING, Final

from exporter.core.charges import LARGEST_PLAUSIBLE
from exporter.core.errors import SourceError
from exporter.sources.base import Rejected

if TYPE_CHECKING:
    from exporter.sources.http.json_api import JsonApi

Result = Mapping[str, object]
"""One entry of a bucket: what the report has for one group."""

_MOST_PAGES: Final = 60
"""Of one reading, which requests no more than fits one page as documented."""
_MOST_OF_ANYTHING: Final = 10**15
"""No organization uses so much of anything in one hour: such a count is damaged."""
EXACT: Final = Context(prec=60)
"""Sums and quotients of amounts would be rounded to 28 digits otherwise."""
_SMALLEST: Final = Decimal(1).scaleb(-18)
"""Charges have eighteen decimals."""
_LONGEST_TEXT: Final = 250


class SetAsideError(Exception):
    """A result that cannot be used."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(slots=True)
class SetAside:
    """What was set aside while a report was read."""

    place: str
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, reason: str, detail: str) -> None:
        """Count one."""
        self._counts[reason, detail] += 1

    def __bool__(self) -> bool:
        """Whether anything was."""
        return bool(self._counts)

    def rejected(self) -> tuple[Rejected, ...]:
        """Return one entry for each reason and detail."""
        return tuple(
            Rejected(reason, count, self.place, detail)
            for (reason, detail), count in sorted(self._counts.items())
        )


@dataclass(frozen=True, slots=True)
class Dialect:
    """What providers call the same things."""

    since: str
    """Parameter and field: start of the requested time, and of a bucket."""
    until: str
    group_by: str
    written: Callable[[datetime], str | int]
    understood: Callable[[object], datetime]
    """Raises ValueError, TypeError or OverflowError for what is not a time."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a report has for one day or hour."""

    start: datetime
    results: Sequence[Result]


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the provider's API."""

    api: JsonApi
    dialect: Dialect
    path: str
    group_by: Sequence[str]
    bucket_width: timedelta
    """A day or an hour."""
    largest_limit: int
    """Buckets that one page may have, as the provider documents."""
    optional_groups: int = 0
    """So many of `group_by`, the last first, are given up where the provider refuses them."""

    def read(self, since: datetime, until: datetime, set_aside: SetAside) -> list[Bucket]:
        """Return the buckets of [since, until), by time; those without results are left out.

        Raises SourceError when any of the pages cannot be read.
        """
        found: dict[datetime, list[list[Result]]] = {}
        for bucket in self._grouped_pages(since, until, set_aside):
            try:
                start, results = self._understood(bucket)
            except SetAsideError as error:
                set_aside.add(error.reason, str(error))
                continue
            if not since <= start < until:
                set_aside.add("bad_bucket", "a time that was not requested")
                continue
            parts = found.setdefault(start, [])
            if results and results in parts:
                raise self._refused(f"it has {start:%Y-%m-%d %H:%M} twice on its pages")
            parts.append(results)
        return [Bucket(start, list(chain.from_iterable(parts))) for start, parts in sorted(found.items())]

    def _grouped_pages(self, since: datetime, until: datetime, set_aside: SetAside) -> list[object]:
        """Read all pages, with fewer groups where the provider does not know some of them."""
        from exporter.sources.http.json_api import ApiError  # noqa: PLC0415 (loads the HTTP client)

        groups = tuple(self.group_by)
        for kept in range(len(groups), len(groups) - self.optional_groups, -1):
            try:
                return self._pages(since, until, groups[:kept])
            except ApiError as error:
                if error.status != 400:
                    raise
                detail = (
                    f"the report refuses to group by {groups[kept - 1]} ({error}), so calls at another price "
                    "are counted at the ordinary one"
                )
                set_aside.add("no_breakdown", detail)
        return self._pages(since, until, groups[: len(groups) - self.optional_groups])

    def _pages(self, since: datetime, until: datetime, groups: Sequence[str]) -> list[object]:
        buckets = (until - since) // self.bucket_width
        params: dict[str, str | int | Sequence[str]] = {
            self.dialect.since: self.dialect.written(since),
            self.dialect.until: self.dialect.written(until),
            "bucket_width": "1d" if self.bucket_width == timedelta(days=1) else "1h",
            "limit": max(1, min(buckets, self.largest_limit)),
        }
        if groups:
            params[self.dialect.group_by] = groups
        read: list[object] = []
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = self.api.get(self.path, params)
            data = page.get("data")
            if not isinstance(data, list):
                raise self._refused("the answer has no list `data`")
            read += data
            if page.get("has_more") is not True:
                return read
            following = page.get("next_page")
            if not isinstance(following, str) or not following:
                raise self._refused("it says that there is more, but not where")
            if following in seen:
                raise self._refused("its pages form a loop")
            seen.add(following)
            params["page"] = following
        raise self._refused(f"it has more than {_MOST_PAGES} pages")

    def _understood(self, bucket: object) -> tuple[datetime, list[Result]]:
        if not isinstance(bucket, dict):
            raise SetAsideError("bad_bucket", "a bucket that is not an object")
        results = bucket.get("results")
        if not isinstance(results, list):
            raise SetAsideError("bad_bucket", "a bucket without a list `results`")
        try:
            start = self.dialect.understood(bucket.get(self.dialect.since))
            end = self.dialect.understood(bucket.get(self.dialect.until))
        except (ValueError, TypeError, OverflowError, OSError):
            raise SetAsideError("bad_bucket", "a bucket whose times cannot be read") from None
        if (start - _EPOCH) % self.bucket_width or not timedelta(0) < end - start <= self.bucket_width:
            width = "day" if self.bucket_width == timedelta(days=1) else "hour"
            raise SetAsideError("bad_bucket", f"a bucket that is not a UTC {width}")
        return start, [result if isinstance(result, dict) else {} for result in results]

    def _refused(self, why: str) -> SourceError:
        return SourceError(
            "bad_response",
            f"{self.api.name}: reading {self.path} failed: {why}; none of it was used, "
            "it is tried again at the next refresh",
        )


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def text(result: Result, name: str) -> str:
    """Return a field's text, printable and at bounded length; empty where it is null or missing.

    Raises SetAsideError when it is anything else.
    """
    value = result.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SetAsideError("bad_usage", f"`{name}` is not a text")
    return "".join(character for character in value if character.isprintable()).strip()[:_LONGEST_TEXT]


def count(result: Result, name: str) -> int:
    """Return a field's count; 0 where it is null or missing. Raises SetAsideError when it is not a count."""
    value = result.get(name)
    if value is None:
        return 0
    number = Decimal(-1)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    if not 0 <= number < _MOST_OF_ANYTHING or number != int(number):
        raise SetAsideError("bad_usage", f"`{name}` is not a count")
    return int(number)


_MAY_HAVE_ITS_OWN_PRICE: Final = re.compile(r"cach|audio|image|video|reasoning|thinking")


def unknown_counts(result: Result, known: Collection[str]) -> Iterator[str]:
    """Yield the fields that count what may have its own price, and that are not among the known ones."""
    for name, value in result.items():
        inner = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {}
        for key, each in (inner or {name: value}).items():
            counts = isinstance(each, int | Decimal) and not isinstance(each, bool) and each > 0
            if counts and key not in known and _MAY_HAVE_ITS_OWN_PRICE.search(key):
                yield key


def amount(value: object, *, cents: bool = False) -> Decimal:
    """Return money given as a number or as its text, exactly. Raises SetAsideError for anything else."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise SetAsideError("bad_cost", "an amount that is not a number")
        money = Decimal(value)
    except InvalidOperation:
        raise SetAsideError("bad_cost", "an amount that is not a number") from None
    if not money.is_finite() or money.copy_abs() >= LARGEST_PLAUSIBLE:
        raise SetAsideError("bad_cost", "an amount that is too large to be a bill")
    return money.scaleb(-2 if cents else 0, EXACT).quantize(_SMALLEST, context=EXACT)
