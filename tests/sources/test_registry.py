"""The registry: what follows from one entry, proved with a small source that is not the product's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.config.model import Config, parse
from exporter.config.problems import ConfigError, every_key, key_text
from exporter.core.ownership import ANY_OTHER
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext, Source, billing_zones
from exporter.sources.registration import Registration, Wanted, make_sources
from exporter.sources.registry import REGISTRY, registered_ownership
from exporter.sources.spool import write_spool_csv
from exporter.wiring.sources import configured_sources
from tests.support import places
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge
from tests.support.config_documents import BY_NAME, with_value
from tests.support.exposed import by, samples
from tests.support.focus_rows import focus_row, write_focus_csv

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
ENTRIES = {entry.name: entry for entry in REGISTRY}

KEYS = {key_text(path): (path, field) for path, field in every_key(Config)}


def everything() -> dict[str, Any]:
    """A configuration of all sources but Google's files: each section as errors give it for example."""
    document: dict[str, Any] = {**BY_NAME, "gcp": {**BY_NAME["gcp"], "budgets": {"enabled": True}}}
    for entry in REGISTRY:
        path, field = KEYS[entry.section]
        if path[0] != "gcp":
            document = with_value(document, path, field.examples[0] if field.examples else {})
    return document


EVERYTHING = everything()


@dataclass(slots=True)
class CostExplorer(TestedSource):
    """A bill of AWS: one charge of five dollars."""

    name: str = "cost_explorer"
    provider: str = "aws"
    billing_timezone: str = "UTC"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        hour = NOW.replace(hour=8)
        row = charge("5", provider="aws", charge_period_start=hour, export_hour=hour + timedelta(hours=3))
        yield Batch("day", "cursor", write_spool_csv(context.spool / "aws.csv", [row]), 1)


def _cost_explorer(_wanted: Wanted) -> Source:
    return CostExplorer()


COST_EXPLORER = Registration(
    name="cost_explorer",
    section="aws.cost_explorer",
    page="focus.md",
    make=_cost_explorer,
    bills={"aws": "Amazon Web Services"},
)


def made(document: object, registry: tuple[Registration, ...] = REGISTRY) -> dict[str, Source]:
    config = parse(json.dumps(document), Path("/etc"))
    return {source.name: source for source in make_sources(registry, config, {"KEY": "sk-admin-x"})}


@pytest.mark.slow
def test_a_source_that_registers_itself_is_counted_once_beside_a_focus_file_with_its_charges(
    tmp_path: Path,
) -> None:
    write_focus_csv(
        tmp_path / "bill.csv",
        [focus_row(BilledCost="7"), focus_row(BilledCost="2", ProviderName="Oracle", PublisherName="Oracle")],
    )
    sources = made({"focus": {"files": [str(tmp_path / "*.csv")]}}, (COST_EXPLORER, ENTRIES["focus"]))
    ledger = Ledger(None)
    spool = tmp_path / "spool"
    spool.mkdir()
    refresher = Refresher(
        list(sources.values()),
        ledger,
        spool,
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        clock=lambda: NOW,
    )
    shown = samples(refresher.refresh_all().text)["spend_month_to_date_usd"]
    ledger.close()
    assert list(sources) == ["cost_explorer", "focus"]
    assert by(shown, "provider") == {("aws",): 5.0, ("oci",): 2.0}


def test_what_a_source_owns_appears_in_the_table_of_ownership() -> None:
    row = registered_ownership((COST_EXPLORER, ENTRIES["focus"])).of("aws")
    assert row.money == "Amazon Web Services"
    assert row.billed_by == ("cost_explorer", "focus")


def test_two_sources_that_bill_one_provider_are_refused_by_their_sections() -> None:
    twin = Registration("twin", "aws.twin", "focus.md", _cost_explorer, bills={"aws": "Amazon"})
    with pytest.raises(ConfigError, match="every dollar would count twice") as error:
        made({}, (COST_EXPLORER, twin))
    assert "aws.twin" in str(error.value)
    assert "aws.cost_explorer" in str(error.value)


def test_an_entry_that_says_nothing_of_dollars_is_refused() -> None:
    with pytest.raises(ValueError, match="whose dollars"):
        Registration("nobody", "nobody", "focus.md", _cost_explorer)


def test_names_and_sections_of_the_registry_are_unique_and_known_to_the_configuration() -> None:
    assert len(ENTRIES) == len(REGISTRY)
    assert len({entry.section for entry in REGISTRY}) == len(REGISTRY)
    assert {entry.section for entry in REGISTRY} <= KEYS.keys()


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_every_source_has_a_page_that_names_its_section(entry: Registration) -> None:
    assert (places.DOCS / entry.page).is_file()
    reference = (places.DOCS / "configuration.md").read_text(encoding="utf-8")
    assert f"`{entry.section}" in reference


def test_a_source_can_do_what_its_entry_says() -> None:
    sources = made(EVERYTHING) | made({"gcp": {"billing_export": {"files": ["a.csv"]}}})
    assert sources.keys() == ENTRIES.keys()
    for name, source in sources.items():
        entry = ENTRIES[name]
        assert (source.billing_timezone is not None) == bool(entry.bills)
        named = {*entry.bills, *entry.estimates, *entry.attributes, *entry.advises} - {ANY_OTHER}
        assert not source.provider or source.provider in named or not named - {"openai", "anthropic"}


def test_without_any_source_every_section_that_could_be_set_is_named() -> None:
    with pytest.raises(ConfigError, match="no source is given") as error:
        configured_sources(parse("{}", Path("/etc")), {})
    for entry in REGISTRY:
        assert entry.section in str(error.value)


def test_where_the_only_source_is_switched_off_the_switch_is_named() -> None:
    with pytest.raises(ConfigError, match=r"gcp\.enabled: no source is enabled"):
        configured_sources(parse("gcp: {enabled: false}", Path("/etc")), {})


@pytest.mark.parametrize("backwards", [False, True])
def test_a_providers_billing_zone_is_that_of_its_bill_whatever_else_is_read_of_it(backwards: bool) -> None:
    sources = made(EVERYTHING) | made({"gcp": {"billing_export": {"files": ["a.csv"]}}})
    of_google = [source.name for source in sources.values() if source.provider == "gcp"]
    assert len(of_google) > 2
    ordered = sorted(sources.values(), key=lambda source: source.name, reverse=backwards)
    assert billing_zones(ordered)["gcp"] == "America/Los_Angeles"
