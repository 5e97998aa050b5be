"""One owner per dollar: any two sources that can name the same provider, and the dollar that both have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest

from exporter.config.model import parse
from exporter.config.problems import ConfigError
from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.core.ownership import ANY_OTHER
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext, Source, UsageAddition, UsageChange
from exporter.sources.registration import Registration, Wanted, make_sources
from exporter.sources.registry import OWNERSHIP, REGISTRY
from exporter.sources.spool import write_spool_csv, write_usage_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge
from tests.support.exposed import Samples, by, samples
from tests.support.focus_rows import focus_row, write_focus_csv

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
USED = datetime(2026, 11, 12, 8, tzinfo=UTC)
BILLED, ESTIMATED = 5.0, 7.0
"""What every source says of the same calls: dollars of the bill, and dollars at list prices."""

SERVICES = {"openai": llm_meters.OPENAI_SERVICE, "anthropic": llm_meters.ANTHROPIC_SERVICE}


@dataclass(slots=True)
class StandIn(TestedSource):
    """A source that says of one provider's calls what the registry says that it can."""

    entry: Registration
    provider: str
    """As in the registry, and the one that it speaks of."""
    left_out: bool = False
    """Whether another source has the provider's bill."""

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.entry.name

    @property
    def billing_timezone(self) -> str | None:
        return "UTC" if self.entry.bills else None

    def refresh(self, context: RefreshContext) -> Iterator[Change | UsageChange]:
        if names(self.entry.bills, self.provider) and not self.left_out:
            service_id, service = SERVICES.get(self.provider, ("api", "API"))
            row = charge(
                str(BILLED),
                provider=self.provider,
                service_id=service_id,
                service_name=service,
                charge_period_start=USED,
                export_hour=USED + timedelta(hours=3),
            )
            yield Batch("day", "c", write_spool_csv(context.spool / f"{self.name}.csv", [row]), 1)
        meters = [llm_meters.LIST_USD] if names(self.entry.estimates, self.provider) else []
        meters += [llm_meters.PROXY_USD] if names(self.entry.attributes, self.provider) else []
        if meters:
            points = [self._point(meter) for meter in meters]
            spool = write_usage_csv(context.spool / f"{self.name}-usage.csv", points)
            yield UsageAddition("log/calls", "c", spool, len(points))

    def _point(self, meter: str) -> UsagePoint:
        end = USED + timedelta(minutes=1)
        return UsagePoint(self.provider, "p", "", "", "model-1", "", meter, "", USED, end, ESTIMATED, "usd")


def names(providers: object, provider: str) -> bool:
    return isinstance(providers, (dict, tuple)) and (provider in providers or ANY_OTHER in providers)


def can_name(entry: Registration, provider: str) -> bool:
    return any(names(each, provider) for each in (entry.bills, entry.estimates, entry.attributes))


PROVIDERS = sorted({row.provider for row in OWNERSHIP.rows} - {ANY_OTHER} | {"aws", "mistral"})

PAIRS = [
    pytest.param(one, other, provider, id=f"{one.name}-{other.name}-{provider}")
    for one, other in combinations(REGISTRY, 2)
    for provider in PROVIDERS
    if can_name(one, provider) and can_name(other, provider)
]


def stand_in(entry: Registration, provider: str) -> Registration:
    """Return the entry with a source that needs no outside; files in FOCUS are read as they are."""

    def make(wanted: Wanted) -> Source:
        return StandIn(entry, provider, left_out=provider in wanted.owned_by_others)

    return entry if entry.name == "focus" else replace(entry, make=make)


def exposed(pair: tuple[Registration, Registration], provider: str, folder: Path) -> Samples:
    service_name = SERVICES.get(provider, ("api", "API"))[1]
    row = focus_row(
        ProviderName=provider,
        BilledCost=str(BILLED),
        ServiceName=service_name,
        ChargePeriodStart=USED.isoformat(),
    )
    written = (USED + timedelta(hours=3)).timestamp()
    os.utime(write_focus_csv(folder / "focus.csv", [row]), (written, written))
    (folder / "spool").mkdir()
    config = parse(json.dumps({"focus": {"files": ["focus.csv"]}}), folder)
    ledger = Ledger(None)
    try:
        refresher = Refresher(
            make_sources([stand_in(entry, provider) for entry in pair], config, {}),
            ledger,
            folder / "spool",
            interval=timedelta(hours=1),
            keep=timedelta(days=400),
            max_series=1000,
            clock=lambda: NOW,
        )
        return samples(refresher.refresh_all().text)
    finally:
        ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other", "provider"), PAIRS)
def test_a_dollar_that_two_sources_have_counts_once(
    one: Registration, other: Registration, provider: str, tmp_path: Path
) -> None:
    any_other = ANY_OTHER in one.bills and ANY_OTHER in other.bills
    if any_other or (provider in one.bills and provider in other.bills):
        with pytest.raises(ConfigError, match="every dollar would count twice"):
            exposed((one, other), provider, tmp_path)
        return
    found = exposed((one, other), provider, tmp_path)
    billed = any(names(entry.bills, provider) for entry in (one, other))
    estimated = any(names(entry.estimates, provider) for entry in (one, other))
    month = by(found["spend_month_to_date_usd"], "provider")
    assert month == ({(provider,): BILLED} if billed else {})
    calls = by(found["spend_llm_estimated_usd_total"], "provider")
    assert calls == ({(provider,): ESTIMATED} if estimated else {})
    whole = by(found["spend_nowcast_month_to_date_usd"], "provider", "basis")
    # What is billed is so once; without a bill the usage of one source stands in for it.
    assert whole.get((provider, "billed"), 0.0) == (BILLED if billed else 0.0)
    if not billed:
        assert whole.get((provider, "estimated"), 0.0) == pytest.approx(ESTIMATED if estimated else 0.0)


def test_pairs_of_every_kind_are_looked_at() -> None:
    looked_at = {(param.values[0].name, param.values[1].name) for param in PAIRS}  # type: ignore[union-attr]
    assert {("files", "bigquery"), ("openai", "focus"), ("usage_logs", "litellm")} <= looked_at
    assert ("files", "focus") in looked_at
    assert len(PAIRS) > len(PROVIDERS)
