"""`spend-exporter check`: whether each source answers and has its permissions, and what it will cost.

Changes nothing, listens on nothing, and does not open a ledger that a running exporter uses.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from exporter.cli.arguments import EXIT_TROUBLE, add_config
from exporter.cli.commands.check_accounts import account_findings, renamed_findings
from exporter.cli.commands.check_attribution import attribution_findings, unit_findings
from exporter.cli.commands.check_bill import bill_findings
from exporter.cli.commands.check_live_usage import live_usage_findings
from exporter.cli.commands.check_placeholders import placeholder_findings
from exporter.cli.commands.check_report import JsonReport, Report, TextReport
from exporter.cli.commands.check_reports import report_findings
from exporter.config.model import Config, load
from exporter.config.problems import ConfigError
from exporter.core.byte_sizes import size_text
from exporter.core.errors import SourceError
from exporter.core.in_parallel import emitted_by
from exporter.core.ownership import ANY_OTHER
from exporter.core.source_names import kind_of, of_kind
from exporter.ledger.facts import LedgerFacts, ledger_facts
from exporter.ledger.opening import LedgerError
from exporter.ledger.schema import SCHEMA_VERSION
from exporter.ledger.withheld import WithheldRetractions
from exporter.refresh.adoption import cursors_of
from exporter.refresh.intake import FUTURE_TOLERANCE
from exporter.sources.base import (
    Finding,
    RefreshContext,
    RefreshTally,
    Source,
    billing_zones,
    reads_bill,
    with_own_keys,
)
from exporter.sources.registry import OWNERSHIP
from exporter.web.web_config import WebConfig, load_web_config
from exporter.wiring.budgets import budget_rules
from exporter.wiring.reports import scheduled
from exporter.wiring.secret_files import open_secrets
from exporter.wiring.sources import attribution_of, business_units, configured_sources

logger = logging.getLogger(__name__)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `check`."""
    add_config(command)
    command.add_argument("--format", choices=("text", "json"), default="text")


def run(chosen: argparse.Namespace) -> int:
    """Check that the set-up works and estimate its cost, without changing anything; exit 1 on trouble."""
    report = JsonReport(sys.stdout) if chosen.format == "json" else TextReport(sys.stdout)
    well = check(load(chosen.config), chosen.config, report, datetime.now(UTC))
    return 0 if well else EXIT_TROUBLE


def check(config: Config, place: Path, report: Report, now: datetime) -> bool:
    """Check the whole set-up, report each finding once it is known, and return whether all is well.

    `place` is the file that the configuration was read from.
    """
    ledger = _Ledger(config.ledger)
    well = _report(report, "configuration", _of_configuration(config, place))
    well &= _report(report, "ledger", ledger.findings())
    sources = configured_sources(config, os.environ)
    cursors = ledger.facts.cursors if ledger.facts else {}
    well &= _report(report, "accounts", renamed_findings(sources, cursors))
    well &= _report(report, "ownership", _of_ownership([source.name for source in sources]))
    withheld = WithheldRetractions(config.ledger)

    def look(source: Source, emit: Callable[[Finding | str], None]) -> None:
        context = _context(config, ledger.facts, now, emit)
        for finding in chain(_of_withheld(source, withheld), _of_source(source, context, sources, cursors)):
            emit(finding)

    for source, emitted in zip(sources, emitted_by(sources, look), strict=True):
        well &= _report(report, f"source {source.name}", _findings(emitted, report))
    several = [source for source in sources if kind_of(source.name) != source.name]
    same = account_findings(several, _context(config, ledger.facts, now, report.progress))
    well &= _report(report, "accounts", same)
    if any(source.reads_live_usage for source in sources):
        bills = [source.name for source in sources if reads_bill(source)]
        well &= _report(report, "live usage", live_usage_findings(config.ledger, bills, now))
    well &= _report(report, "bill", _of_bill(config, sources, now))
    well &= _report(report, "attribution", _of_attribution(config, sources, now))
    well &= _report(report, "reports", report_findings([scheduled(each) for each in config.reports or ()]))
    report.end()
    return well


def _report(report: Report, part: str, findings: Iterator[Finding]) -> bool:
    """Report the findings of a part and return whether none is trouble; without findings, no heading."""
    well = True
    first = next(findings, None)
    if first is None:
        return well
    report.begin(part)
    for finding in chain((first,), findings):
        well &= finding.ok
        report.add(finding)
    return well


def _findings(emitted: Iterator[Finding | str], report: Report) -> Iterator[Finding]:
    """Yield the findings among what a check emits, and show the rest as its progress."""
    for each in emitted:
        if isinstance(each, str):
            report.progress(each)
        else:
            yield each


def _of_configuration(config: Config, place: Path) -> Iterator[Finding]:
    yield Finding(True, "file", f"{place} is valid")
    if config.keys_without_effect:
        detail = f"{', '.join(config.keys_without_effect)}: accepted, without effect in this version"
        yield Finding(True, "keys", detail, warning=True)
    for renamed in config.renamed_keys:
        yield Finding(True, "renamed", str(renamed), warning=True)
    yield from placeholder_findings(config)
    if config.web_config_file is None:
        yield _unprotected(config)
        for text in open_secrets(config, WebConfig(), os.environ):
            yield Finding(True, "open secret", text, warning=True)
        return
    try:
        web = load_web_config(config.web_config_file)
    except ConfigError as error:
        problems = "; ".join(map(str, error.problems))
        yield Finding(False, "web configuration", f"{config.web_config_file}: {problems}")
        return
    for text in open_secrets(config, web, os.environ):
        yield Finding(True, "open secret", text, warning=True)
    users = len(web.password_hashes)
    access = [
        "TLS" if web.ssl_context else "plain HTTP",
        f"{users} {'user' if users == 1 else 'users'}" if users else "no users",
    ]
    yield Finding(True, "web configuration", f"{config.web_config_file}: {', '.join(access)}")


def _unprotected(config: Config) -> Finding:
    address = f"{config.listen}, plain HTTP without users"
    if config.host in ("localhost", "::1") or config.host.startswith("127."):
        return Finding(True, "listen", f"{address}: this machine only")
    detail = f"{address}: everyone who can reach it sees the spending; set web_config_file for TLS and users"
    return Finding(True, "listen", detail, warning=True)


def _of_ownership(sources: Sequence[str]) -> Iterator[Finding]:
    """Report whose money counts with these sources, so that users know why a figure is not added."""
    for row in OWNERSHIP.rows:
        bills = [kind for kind in row.billed_by if of_kind(kind, sources)]
        reported_by = [kind for kind in (*row.estimated_by, *row.attribution) if of_kind(kind, sources)]
        if not bills and not reported_by:
            continue
        others = [each for kind in (*bills[1:], *row.attribution) for each in of_kind(kind, sources)]
        owner = (
            f"billed by {', '.join(of_kind(bills[0], sources))}"
            if bills
            else _unbilled(row.provider, reported_by)
        )
        never_added = f"; {', '.join(others)}: attribution, never added" if bills and others else ""
        what = "other providers" if row.provider == ANY_OTHER else row.provider
        yield Finding(True, what, f"{row.money}: {owner}{never_added}")


def _unbilled(provider: str, reported_by: Sequence[str]) -> str:
    counted = OWNERSHIP.counted_usage(provider, reported_by)
    if counted in OWNERSHIP.of(ANY_OTHER).estimated_by:
        return f"not billed by any source; {counted} is used instead, marked as estimated"
    return "not billed by any source, so no total includes it"


def _of_bill(config: Config, sources: Sequence[Source], now: datetime) -> Iterator[Finding]:
    """Report from when on the ledger has a bill, and what that leaves partial."""
    names = [source.name for source in sources if reads_bill(source)]
    yield from bill_findings(config.ledger, names, billing_zones(sources), budget_rules(config), now)


def _of_attribution(config: Config, sources: Sequence[Source], now: datetime) -> Iterator[Finding]:
    """Report how the rules split the bill, and whether the user's units can be counted."""
    names = [source.name for source in sources if reads_bill(source)]
    zones = billing_zones(sources)
    yield from attribution_findings(attribution_of(config), config.ledger, names, zones, now)
    units = business_units(config)
    if units is not None:
        yield from unit_findings(units, now)


class _Ledger:
    """The ledger before the check; `findings` sets `facts`, where the ledger can be read."""

    def __init__(self, path: Path) -> None:
        self.facts: LedgerFacts | None = None
        self._path = path

    def findings(self) -> Iterator[Finding]:
        try:
            self.facts = ledger_facts(self._path)
        except LedgerError as error:
            # It is fine if an exporter runs with this configuration.
            in_use = error.reason == "ledger_in_use"
            detail = f"{self._path} is in use, probably by a running exporter; not checked"
            yield Finding(in_use, "file", detail if in_use else str(error))
            return
        yield self._of_new_file() if self.facts is None else self._of_file(self.facts)

    def _of_new_file(self) -> Finding:
        folder = next(parent for parent in self._path.absolute().parents if parent.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            detail = (
                f"{self._path} does not exist and cannot be made, because {folder} "
                f"{'may not be written by this user' if folder.is_dir() else 'is not a folder'}: "
                "name another file under the key `ledger`"
            )
            return Finding(False, "file", detail)
        free = shutil.disk_usage(folder).free
        return Finding(True, "file", f"{self._path} will be made at the first start; {size_text(free)} free")

    def _of_file(self, facts: LedgerFacts) -> Finding:
        known = f"{self._path}: {size_text(facts.size_bytes)}, schema {facts.schema_version}"
        if not facts.writable:
            detail = (
                f"{known}; it may not be written, so nothing new is stored: make it and its folder writable"
            )
            return Finding(False, "file", detail)
        if facts.schema_version < SCHEMA_VERSION:
            return Finding(True, "file", f"{known}, upgraded to schema {SCHEMA_VERSION} at the next start")
        if not facts.charges or facts.oldest_usage is None or facts.latest_export is None:
            return Finding(True, "file", f"{known}, empty")
        detail = (
            f"{known}, {facts.charges:,} charges of usage since {facts.oldest_usage:%Y-%m-%d}, "
            f"exported until {facts.latest_export:%Y-%m-%d %H:%M} UTC"
        )
        if facts.kept_from is not None:
            detail += f"; charges of usage before {facts.kept_from:%Y-%m-%d} have been deleted"
        return Finding(True, "file", detail)


def _of_withheld(source: Source, retractions: WithheldRetractions) -> Iterator[Finding]:
    """Report what a running exporter, or the last snapshot, keeps although it is gone at the source."""
    withheld = retractions.of(source.name)
    if withheld is not None:
        detail = (
            f"${withheld.usd:,.2f} since {withheld.since:%Y-%m-%d %H:%M} UTC: {withheld.why}. Restore the "
            f"data; or if it is right, run `spend-exporter accept-retraction --source {source.name}` with "
            "the same configuration"
        )
        yield Finding(False, "withheld", detail)


def _context(
    config: Config, facts: LedgerFacts | None, now: datetime, progress: Callable[[str], None]
) -> RefreshContext:
    """Return the context of a check, with nothing known and the folder for spool files not made."""
    oldest = now - timedelta(days=config.ledger_keep_days)
    if facts is not None and facts.kept_from is not None:
        oldest = max(oldest, facts.kept_from)
    return RefreshContext(
        known={},
        now=now,
        latest_plausible=now + FUTURE_TOLERANCE,
        oldest_kept=oldest,
        spool=Path(tempfile.gettempdir()),
        tally=RefreshTally(progress=progress),
    )


def _of_source(
    source: Source,
    context: RefreshContext,
    sources: Sequence[Source],
    cursors: Mapping[str, Mapping[str, str]],
) -> Iterator[Finding]:
    """Yield the source's own findings, and one more if it cannot even be checked."""
    known = cursors_of(source, sources, cursors)
    with tempfile.TemporaryDirectory(prefix="spend-exporter-check-") as spool:
        try:
            for finding in source.check(replace(context, known=known, spool=Path(spool))):
                yield replace(finding, detail=with_own_keys(source, finding.detail))
        except SourceError as error:
            yield Finding(False, "check", with_own_keys(source, str(error)))
        except Exception as error:
            logger.exception("%s: unexpected failure", source.name)
            detail = f"stopped by a defect, please report it: {type(error).__name__}: {error}"
            yield Finding(False, "check", detail)
