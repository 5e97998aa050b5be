"""Several export tables in BigQuery, each with a server, a key and a bill of its own, in one exporter.

The client is Google's own; the servers speak BigQuery's protocol on sockets and accept only their own token.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.config.model import Config, parse
from exporter.refresh.refresher import Refresher
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.fakes.bigquery_export import DAILY_TABLE, ExportRow, FakeExport
from tests.fakes.bigquery_rest import ApiError, FakeBigQuery, Fault
from tests.support.exposed import DEADLINE_SECONDS, Samples, by, samples, until
from tests.support.focus_rows import focus_row, write_focus_csv
from tests.support.google_keys import write_key_file

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
PROD, DATA, THIRD = "0A-0B-0C", "0D-0E-0F", "11-22-33"
DENIED = ApiError(403, "accessDenied", "Access Denied: Permission denied")


@dataclass
class Account:
    """A billing account: its export table, the server that has it, and the key that opens it."""

    account_id: str
    server: FakeBigQuery
    export: FakeExport
    key: Path

    @property
    def table(self) -> str:
        return f"pay.billing.gcp_billing_export_v1_{self.account_id.replace('-', '_')}"

    def entry(self, name: str | None = None, **more: Any) -> dict[str, Any]:
        named = {"name": name} if name else {}
        return {"table": self.table, "credentials_path": str(self.key), **named, **more}


@dataclass
class Estate:
    """Billing accounts and a ledger that stays from one exporter to the next."""

    folder: Path
    stack: ExitStack
    accounts: dict[str, Account] = field(default_factory=dict)

    def account(self, account_id: str, *costs: str, table: str | None = None) -> Account:
        export = FakeExport(billing_account_id=account_id)
        for days, cost in enumerate(reversed(costs)):
            day = TODAY - timedelta(days=days)
            export.add_day(day, ExportRow(day + timedelta(hours=10), cost))
        server = FakeBigQuery(export, token=f"token-of-{account_id}")
        self.stack.enter_context(server)
        email = f"reader@{account_id.lower()}.iam.gserviceaccount.com"
        key = write_key_file(self.folder / f"{account_id}.json", f"{server.address}/token", email)
        found = Account(account_id, server, export, key)
        server.tables[table or found.table] = dict(DAILY_TABLE)
        self.accounts[table or found.table] = found
        return found

    def config(self, bigquery: object, **more: object) -> Config:
        document = {"gcp": {"billing_export": {"bigquery": bigquery}}, "ledger": "spend.duckdb", **more}
        config = parse(json.dumps(document), self.folder)
        return config.model_copy(update={"ledger": self.folder / "spend.duckdb"})

    def sources(self, config: Config) -> list[Any]:
        sources = configured_sources(config, {})
        for source in sources:
            if isinstance(source, BigQuerySource):
                source.endpoint = self.accounts[source.table or ""].server.address
                source.sleep = lambda _seconds: None
        return sources

    def exposed(self, bigquery: object, **more: object) -> Samples:
        """What an exporter shows after it has read every table once, with the ledger of those before."""
        config = self.config(bigquery, **more)
        with opened_refresher(config, self.sources(config), config.ledger, clock=lambda: NOW) as refresher:
            return samples(refresher.refresh_all().text)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        yield Estate(tmp_path, stack)


def month(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown.get("spend_month_to_date_usd", {}), "billing_account_id")


def up(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown["spend_source_up"], "source")


def counted(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown["spend_billed_usd_total"], "billing_account_id")


def test_two_accounts_are_read_with_their_own_keys_and_one_that_is_refused_costs_the_other_nothing(
    estate: Estate,
) -> None:
    prod, data = estate.account(PROD, "10", "2.5"), estate.account(DATA, "4")
    both = [prod.entry("prod"), data.entry("data")]

    shown = estate.exposed(both)

    assert month(shown) == {(PROD,): 12.5, (DATA,): 4.0}
    assert up(shown) == {("bigquery/prod",): 1.0, ("bigquery/data",): 1.0}
    prod.server.faults = [Fault("POST", "/jobs", DENIED, times=1000)]
    data.export.add_day(TODAY, ExportRow(TODAY + timedelta(hours=12), "3"))
    prod.export.add_day(TODAY, ExportRow(TODAY + timedelta(hours=12), "100"))
    shown = estate.exposed(both)
    assert month(shown) == {(PROD,): 12.5, (DATA,): 7.0}, "the last good bill stays, the other one grows"
    assert up(shown) == {("bigquery/prod",): 0.0, ("bigquery/data",): 1.0}
    errors = by(shown["spend_source_errors_total"], "source", "reason")
    assert errors == {("bigquery/prod", "permission_denied"): 1.0}
    data.server.requests.clear()
    shown = estate.exposed(both)
    assert month(shown) == {(PROD,): 12.5, (DATA,): 7.0}
    assert data.server.queries("charges") == [], "its cursors were kept, so nothing is read again"


def test_an_error_names_the_keys_of_its_own_entry(estate: Estate) -> None:
    prod, data = estate.account(PROD, "1"), estate.account(DATA, "1")
    data.key.write_text("no key", encoding="utf-8")
    config = estate.config([prod.entry("prod"), data.entry("data", max_bytes_billed="10MiB")])
    with opened_refresher(config, estate.sources(config), config.ledger, clock=lambda: NOW) as refresher:
        refresher.refresh_all()
        status = {each.name: each for each in refresher.snapshot.sources}["bigquery/data"]
    assert "gcp.billing_export.bigquery[1].credentials_path" in status.last_error
    assert status.failed_with == "bad_credentials"


@pytest.mark.parametrize(
    "steps",
    [
        ["prod alone", "prod and data"],
        ["prod alone", "data and prod"],
        ["prod alone", "prod and data", "renamed"],
        ["prod alone", "prod and data", "without names", "prod and data", "prod alone"],
        # One source has both tables: as earlier versions read a list, and after moving to a new account.
        ["prod alone", "data alone", "prod and data"],
    ],
    ids=" then ".join,
)
def test_another_shape_of_the_configuration_neither_loses_nor_doubles_what_the_ledger_has(
    estate: Estate, steps: list[str]
) -> None:
    prod, data = estate.account(PROD, "10", "2.5"), estate.account(DATA, "4")
    shapes: dict[str, object] = {
        "prod alone": prod.entry(),
        "data alone": data.entry(),
        "prod and data": [prod.entry("prod"), data.entry("data")],
        "data and prod": [data.entry("data"), prod.entry("prod")],
        "renamed": [prod.entry("production"), data.entry("warehouse")],
        "without names": [prod.entry(), data.entry()],
    }
    for step in steps:
        shown = estate.exposed(shapes[step])
    everything = {(PROD,): 12.5, (DATA,): 4.0}
    assert month(shown) == everything, "what was read once stays, also of a table that is listed no more"
    assert counted(shown) == everything
    assert len(prod.server.queries("charges")) == 1, "nothing is read a second time"
    assert all(value == 1.0 for value in up(shown).values())


def test_one_account_in_two_tables_whose_names_do_not_show_it_counts_once_and_the_health_says_so(
    estate: Estate,
) -> None:
    one = estate.account(PROD, "10", table="pay.billing.of_prod")
    again = estate.account(PROD, "10", table="pay.other.of_prod_too")
    entries = [
        {"name": "one", "table": "pay.billing.of_prod", "credentials_path": str(one.key)},
        {"name": "again", "table": "pay.other.of_prod_too", "credentials_path": str(again.key)},
    ]
    for _ in range(2):
        shown = estate.exposed(entries)
        assert month(shown) == {(PROD,): 10.0}
        assert up(shown) == {("bigquery/one",): 1.0, ("bigquery/again",): 0.0}
        errors = by(shown["spend_source_errors_total"], "source", "reason")
        assert errors == {("bigquery/again", "account_read_twice"): 1.0}


def test_a_focus_file_with_the_charges_of_both_accounts_beside_them_adds_nothing(estate: Estate) -> None:
    prod, data = estate.account(PROD, "10"), estate.account(DATA, "4")
    rows = [
        focus_row(
            ProviderName="Google Cloud", PublisherName="Google Cloud", BillingAccountId=each, BilledCost="99"
        )
        for each in (PROD, DATA)
    ]
    write_focus_csv(estate.folder / "bill.csv", rows)
    shown = estate.exposed(
        [prod.entry("prod"), data.entry("data")], focus={"files": [str(estate.folder / "*.csv")]}
    )
    assert month(shown) == {(PROD,): 10.0, (DATA,): 4.0}


def test_an_account_that_hangs_does_not_delay_the_others(estate: Estate) -> None:
    accounts = [estate.account(each, "1") for each in (PROD, DATA, THIRD)]
    config = estate.config([each.entry(each.account_id) for each in accounts])
    with ExitStack() as stack:
        answered = accounts[0].server.answer
        gate = threading.Event()

        def hang(purpose: str, sql: str) -> Any:
            gate.wait(DEADLINE_SECONDS)
            return answered(purpose, sql)

        accounts[0].server.answer = hang
        refresher: Refresher = stack.enter_context(
            opened_refresher(config, estate.sources(config), config.ledger, clock=lambda: NOW)
        )
        stack.callback(refresher.stop)
        stack.callback(gate.set)
        refresher.start()
        until(
            lambda: month(samples(refresher.snapshot.text)) == {(DATA,): 1.0, (THIRD,): 1.0},
            "the other two bills while the first hangs",
        )
        assert ("bigquery/" + PROD,) not in up(samples(refresher.snapshot.text))
        gate.set()
        until(
            lambda: month(samples(refresher.snapshot.text)) == {(PROD,): 1.0, (DATA,): 1.0, (THIRD,): 1.0},
            "all three bills",
        )
