"""From the configuration to reports: what they are made from, and where they are sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Final

from exporter.analysis.bill.attribution import Attribution
from exporter.config.model import Config
from exporter.config.reports import Mail, ReportSection, Slack, Webhook
from exporter.core.secrets import secret_reader
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import LlmView
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.model_names import ModelNames
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.outlooks.daily_nowcast import daily_outlooks
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.savings import Savings
from exporter.questions.report_question import ReportParameters
from exporter.refresh.refresher import Refresher
from exporter.reports.beside import Beside, CountUnits, Units
from exporter.reports.delivery.destination import Destination
from exporter.reports.delivery.mail import MailServer
from exporter.reports.delivery.schedule import Schedule
from exporter.reports.delivery.sender import ReportSender, Scheduled
from exporter.reports.delivery.sent import SentReports
from exporter.reports.delivery.status import DeliveryStatus
from exporter.reports.delivery.web import SlackHook, WebHook
from exporter.reports.reporting import Reports
from exporter.sources.base import Source, billing_zones
from exporter.sources.registry import HOURLY_BILLS, OWNERSHIP
from exporter.wiring.dimensions import configured_dimensions
from exporter.wiring.questions import ledger_state, missing_bills
from exporter.wiring.sources import business_units, figure_settings

_COUNT_SECONDS: Final = 5.0
"""For the numbers of all units of a report together; days that are not counted by then are left out."""


def refresher_reports(
    config: Config, sources: Sequence[Source], refresher: Refresher, clock: Callable[[], datetime]
) -> Reports:
    """Return the reports on the ledger that a refresher fills."""
    savings = Savings(sources)

    def beside(view: LedgerView, now: datetime) -> Beside:
        return _beside(
            config,
            sources,
            view,
            now,
            savings,
            outlooks=lambda: refresher.snapshot.outlooks,
            budgets=lambda: refresher.snapshot.budgets,
        )

    return Reports(
        partial(ledger_state, refresher),
        configured_dimensions(config),
        billing_zones(sources),
        beside,
        clock=clock,
        missing_sources=partial(missing_bills, refresher),
    )


def view_reports(
    config: Config,
    sources: Sequence[Source],
    view: LedgerView,
    zones: Mapping[str, str],
    clock: Callable[[], datetime],
) -> Reports:
    """Return the reports on one state of the ledger, with estimates made from it."""

    @cache
    def outlooks() -> tuple[Outlook, ...]:
        # It loads numpy, and a running exporter has estimates already.
        from exporter.metrics.outlooks.nowcast import Nowcasting  # noqa: PLC0415

        now = clock()
        hourly = {provider: zone for provider, zone in zones.items() if provider in HOURLY_BILLS}
        llm = LlmView(view.connection, view.sources)
        return (
            *Nowcasting().outlooks(view, None, now, hourly),
            *daily_outlooks(view, llm, now, zones, OWNERSHIP),
        )

    def beside(seen: LedgerView, now: datetime) -> Beside:
        return _beside(config, sources, seen, now, Savings(sources), outlooks=outlooks, budgets=None)

    return Reports(lambda: nullcontext(view), configured_dimensions(config), zones, beside, clock=clock)


def _beside(
    config: Config,
    sources: Sequence[Source],
    view: LedgerView,
    now: datetime,
    savings: Savings,
    *,
    outlooks: Callable[[], Sequence[Outlook]],
    budgets: Callable[[], Sequence[BudgetOutlook]] | None,
) -> Beside:
    settings = figure_settings(config)
    models = ModelNames(settings.llm_service_ids)
    usage = UsageView(view.connection) if any(each.reads_live_usage for each in sources) else None
    rules = settings.budgets
    counts = business_units(config)
    return Beside(
        view,
        now,
        billing_zones(sources),
        type(rules)(rules.budgets, rules.attribution, models.of_charge),
        outlooks=outlooks,
        current_budgets=budgets,
        find_savings=lambda: savings.families(view, usage, now, settings.rate_card),
        units_of=Units(
            settings.units,
            settings.attribution or Attribution(),
            models.of_charge,
            _counting(config),
            counts.timezone if counts else "UTC",
        ),
    )


def _counting(config: Config) -> CountUnits:
    counts = business_units(config)
    if counts is None:
        return lambda _moment: {}
    give_up = time.monotonic() + _COUNT_SECONDS

    def count(moment: datetime) -> Mapping[str, float]:
        if time.monotonic() > give_up:
            return {}
        found = counts.read(moment)
        return {name: number for name, number in found.items() if isinstance(number, float)}

    return count


def report_sender(
    config: Config,
    reports: Reports,
    clock: Callable[[], datetime],
    ready: Callable[[], bool],
    *,
    status: DeliveryStatus,
    changed: Callable[[], None],
) -> ReportSender | None:
    """Return what sends the configured reports; None where there are none. Nothing is read yet.

    `changed` is called when `status` has changed.
    """
    if not config.reports:
        return None
    return ReportSender(
        [scheduled(section) for section in config.reports],
        reports.make,
        SentReports(sent_file(config.ledger)),
        clock=clock,
        ready=ready,
        status=status,
        changed=changed,
    )


def sent_file(ledger: Path) -> Path:
    """Return the file that remembers what was sent: beside the ledger, on the same disk."""
    return ledger.with_name(f"{ledger.name}.reports.json")


def scheduled(section: ReportSection) -> Scheduled:
    """Return a report with its schedule and destinations."""
    by = ",".join(section.by) if section.by else None
    return Scheduled(
        section.name,
        Schedule(section.period, section.wait_days, section.at, section.timezone),
        ReportParameters(by=by, where=section.where, top=section.top),
        tuple(_destinations(section)),
    )


def _destinations(section: ReportSection) -> Iterator[Destination]:
    place = f"reports[{section.name}]"
    if section.mail is not None:
        yield _mail(section.mail, place)
    if section.slack is not None:
        yield _slack(section.slack, place)
    if section.webhook is not None:
        yield _webhook(section.webhook, place)


def _mail(section: Mail, place: str) -> MailServer:
    password = None
    if section.username is not None:
        key = f"{place}.mail.password_file"
        password = secret_reader(key, section.password_file, section.password_env, os.environ, spaces=True)
    return MailServer(
        section.host,
        section.port or {"starttls": 587, "tls": 465, "none": 25}[section.encryption],
        section.encryption,
        section.sender,
        section.to,
        section.username,
        password,
        section.ca_file,
    )


def _slack(section: Slack, place: str) -> SlackHook:
    return SlackHook(secret_reader(f"{place}.slack.url_file", section.url_file, section.url_env, os.environ))


def _webhook(section: Webhook, place: str) -> WebHook:
    token = None
    if section.bearer_token_file is not None or section.bearer_token_env is not None:
        key = f"{place}.webhook.bearer_token_file"
        token = secret_reader(key, section.bearer_token_file, section.bearer_token_env, os.environ)
    return WebHook(section.url, token, section.ca_file)
