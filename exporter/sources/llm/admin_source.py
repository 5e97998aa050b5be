"""What sources share that read an LLM provider's bill and usage with an admin key."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from exporter.core.errors import SourceError
from exporter.core.source_names import source_name
from exporter.sources.base import Change, Finding, RefreshContext, Source, UsageChange
from exporter.sources.llm.costs import DAY, Biller, CostLine, cost_days, has_same_days
from exporter.sources.llm.pages import Report, Result, SetAside
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.llm.usage import HOUR, Usage, UsageReport, usage_hours
from exporter.sources.patience import patience_of

if TYPE_CHECKING:
    from exporter.sources.http.json_api import JsonApi

_HOPELESS: Final = frozenset({"unauthorized", "unavailable", "timeout", "rate_limited", "bad_url"})
"""After such a failure of one report the others need not be requested."""


@dataclass(frozen=True, slots=True)
class AdminApi:
    """What differs from provider to provider."""

    biller: Biller
    name: str
    """What errors call it."""
    key_prefix: str
    """What admin keys begin with."""
    other_key: str
    """What a key without the prefix is called: `a project key`."""
    key_page: str
    """Where admin keys are made."""
    headers: Callable[[str], Mapping[str, str]]
    """From the key."""
    organization: Callable[[JsonApi], str]
    """Asks which organization the key is of; empty where the API does not say. Raises SourceError."""
    cost_report: Callable[[JsonApi], Report]
    cost_line: Callable[[Result], CostLine]
    usage_reports: Callable[[JsonApi], Iterable[UsageReport]]


@dataclass(slots=True)
class LlmAdminSource(Source):
    """Costs and usage of one organization; both are of the same provider."""

    key: Callable[[], str] = field(repr=False)
    """Returns the admin key; called at each refresh, so that a renewed key is taken up."""
    base_url: str
    update_interval: timedelta = timedelta(minutes=5)
    """How often it is refreshed."""
    history_days: int = 90
    """How far back the first refresh reads costs."""
    usage_days: int = 8
    """How far back the first refresh reads usage."""
    prices: Callable[[], TokenPrices] = TokenPrices
    config_key: str = ""
    """Key of the configuration that errors name."""
    timeout_seconds: float = 30.0
    """Of one request."""
    entry: str | None = None
    """Its name in the configuration, where it is one of several organizations."""
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    billing_timezone: str = field(default="UTC", init=False)
    _prices: TokenPrices | None = field(default=None, init=False, repr=False)
    _organization_of: tuple[str, str] | None = field(default=None, init=False, repr=False)
    """The key that was asked for, and the organization that the API named."""

    @property
    @abstractmethod
    def admin_api(self) -> AdminApi:
        """What differs from provider to provider."""

    @property
    def name(self) -> str:
        """Label value of `source`."""
        return source_name(self.admin_api.biller.provider, self.entry)

    @property
    def provider(self) -> str:
        """Label value of `provider`."""
        return self.admin_api.biller.provider

    def refresh(self, context: RefreshContext) -> Iterator[Change | UsageChange]:
        """Yield the days of the bill that changed, then the hours of usage since the last refresh.

        Usage is read also where costs may not be. Raises SourceError.
        """
        if self._prices is None:
            self._prices = self.prices()
        admin, prices = self.admin_api, self._prices
        with self._api(context) as api:
            failure: SourceError | None = None
            try:
                report = admin.cost_report(api)
                yield from cost_days(context, self._biller(), report, admin.cost_line, self.history_days)
            except SourceError as error:
                if error.reason in _HOPELESS:
                    raise
                failure = error
            reports = tuple(admin.usage_reports(api))
            yield from usage_hours(context, self.provider, reports, prices, self.usage_days)
            yield from self.read_more(api)
        if failure is not None:
            raise failure

    def _biller(self) -> Biller:
        """Whose bill it is: charges name the organization where several are read."""
        if self.entry is None or self._organization_of is None:
            return self.admin_api.biller
        return replace(self.admin_api.biller, billing_account_id=self._organization_of[1])

    def account(self, context: RefreshContext) -> str | None:
        """Return the organization of the key, asked for once for each key; not where it is the only one.

        Raises SourceError.
        """
        if self.entry is None:
            return None
        key = self._admin_key()
        if self._organization_of is None or self._organization_of[0] != key:
            with self._api(context) as api:
                try:
                    self._organization_of = key, _plain(self.admin_api.organization(api))
                except SourceError as error:
                    if error.reason not in ("not_found", "permission_denied"):
                        raise
                    self._organization_of = key, ""
        return self._organization_of[1] or None

    def recognises(self, context: RefreshContext) -> bool:
        """Return whether the bill has a day with exactly the costs that were read under another name.

        Raises SourceError.
        """
        with self._api(context) as api:
            return has_same_days(context, self.admin_api.cost_report(api), self.admin_api.cost_line)

    def read_more(self, _api: JsonApi) -> Iterator[Change | UsageChange]:
        """Read what only one provider has."""
        yield from ()

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Request the last two days of costs and the last two hours of usage."""
        try:
            api = self._api(context)
        except SourceError as error:
            yield Finding(False, "key", str(error))
            return
        admin = self.admin_api
        today = context.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        hour = context.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        costs = UsageReport(admin.cost_report(api), lambda _: Usage("", ""))
        requests = [("costs", costs, today - DAY, today + DAY)]
        requests += [("usage", each, hour - HOUR, hour + HOUR) for each in admin.usage_reports(api)]
        works = False
        with api:
            for what, each, since, until in requests:
                report = each.report
                set_aside = SetAside(report.path)
                try:
                    buckets = report.read(since, until, set_aside)
                except SourceError as error:
                    missing = what == "usage" and error.reason == "not_found"
                    yield Finding(missing, what, str(error), warning=missing)
                    if error.reason in _HOPELESS:
                        return
                    continue
                works = True
                lines = sum(len(bucket.results) for bucket in buckets)
                yield Finding(
                    True, what, f"{report.path} answers: {_lines(lines)} since {since:%d %b %H:%M} UTC"
                )
                for bucket in buckets if what == "usage" else ():
                    for result in bucket.results:
                        each.report_unknown_counts(result, set_aside)
                for rejected in set_aside.rejected():
                    detail = f"{rejected.count} x {rejected.detail} in {report.path}"
                    yield Finding(True, "set aside", detail, warning=True)
            if works and self.entry is not None:
                yield Finding(True, "organization", self.account(context) or "the API does not name it")
            if works:
                yield from self.check_more(api)
                yield Finding(True, "a month", "these requests cost nothing")

    def check_more(self, _api: JsonApi) -> Iterator[Finding]:
        """Check what only one provider has."""
        yield from ()

    def _api(self, context: RefreshContext) -> JsonApi:
        from exporter.sources.http.json_api import JsonApi  # noqa: PLC0415 (loads the HTTP client)

        key = self._admin_key()
        headers = self.admin_api.headers(key)
        return JsonApi(
            self.base_url.rstrip("/").removesuffix("/v1"),
            lambda: headers,
            name=self.admin_api.name,
            config_key=self.config_key,
            tally=context.tally,
            backoff=patience_of(self, context),
            timeout_seconds=self.timeout_seconds,
            now=lambda: context.now,
            advice=self._advice(key),
        )

    def _admin_key(self) -> str:
        try:
            found = self.key().strip()
        except OSError as error:
            raise SourceError(
                "no_credentials",
                f"{self.admin_api.name}: the admin key cannot be read ({error.strerror}): "
                f"check {self.config_key}",
            ) from error
        if not found:
            raise SourceError(
                "no_credentials",
                f"{self.admin_api.name}: the admin key is empty: {self._how_to_get_one()}",
            )
        return found

    def _how_to_get_one(self) -> str:
        admin = self.admin_api
        return (
            f"an owner of the organization makes one at {admin.key_page}; name its file in {self.config_key}"
        )

    def _advice(self, key: str) -> dict[int, str]:
        """Return what to do about HTTP 401 and 403, which depends on the kind of key."""
        admin, get_one = self.admin_api, self._how_to_get_one()
        if not key.startswith(admin.key_prefix):
            wrong = f"this is {admin.other_key}, an admin key ({admin.key_prefix}...) is needed: {get_one}"
            return {401: wrong, 403: wrong}
        return {
            401: f"the admin key is not accepted, it may have been revoked: {get_one}",
            403: f"the admin key may not read usage and costs: {get_one}",
        }


def _plain(organization: str) -> str:
    """An organization's id as a label value: printable, without spaces, at bounded length."""
    return "".join(each for each in organization if each.isprintable() and not each.isspace())[:100]


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"
