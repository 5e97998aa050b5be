"""Four exporters share a world, two by billing account, two by project: their sums are those of one, exactly.

docs/scale.md tells how an organisation is split; what it promises is shown here on real programs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.export_rows import Row, export_row, export_time, write_json_lines
from tests.support.exposed import Labels, until
from tests.support.running import Running, serving, write_config

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ACCOUNTS = ("01AB23-4C5D67-89EF01", "02AB23-4C5D67-89EF02", "03AB23-4C5D67-89EF03")
PROJECTS = ("shop", "search", "ml-train", "ml-serve")
SERVICES = {"6F81-5844-456A": "Compute Engine", "152E-C115-5142": "Cloud Run"}
BILLED, CREDIT = "spend_billed_usd_total", "spend_billed_credit_usd_total"


def world() -> list[Row]:
    """Rows of each account, project and service; a project name is in every account, as names may be."""
    chance = random.Random(18)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = []
    for account in ACCOUNTS:
        for project in PROJECTS:
            for service_id, service in SERVICES.items():
                for hours in range(2, 60, 7):
                    begin = now - timedelta(hours=hours)
                    row = export_row(
                        billing_account_id=account,
                        project={"id": project, "name": project},
                        service={"id": service_id, "description": service},
                        usage_start_time=export_time(begin),
                        usage_end_time=export_time(begin + timedelta(hours=1)),
                        export_time=export_time(now - timedelta(minutes=5)),
                        cost=float(Decimal(chance.randrange(1, 10**9)) / 10**6),
                    )
                    if hours % 2:
                        row["credits"] = [{"name": "Discount", "amount": -chance.randrange(1, 10**5) / 10**6}]
                    rows.append(row)
    return rows


def part_of(row: Row) -> str:
    """Return which exporter a row belongs to: the largest account is split once more, by project."""
    account, project = row["billing_account_id"], row["project"]["id"]
    if account == ACCOUNTS[0]:
        return "machine-learning" if project.startswith("ml-") else "everything-else"
    return str(account)


def net_of_rows(rows: list[Row]) -> Decimal:
    return sum(
        (
            Decimal(str(row["cost"])) + sum(Decimal(str(each["amount"])) for each in row["credits"])
            for row in rows
        ),
        Decimal(0),
    )


class Split:
    """The exporters, and what each one exposes when it has read its part."""

    def __init__(self, exporters: dict[str, Running]) -> None:
        for exporter in exporters.values():
            until(lambda each=exporter: BILLED in each.scrape(BILLED), "the bill")
        self.exposed = {name: each.scrape(BILLED, CREDIT) for name, each in exporters.items()}

    def net(self, name: str) -> Decimal:
        found = self.exposed[name]
        billed = sum((Decimal(str(value)) for value in found[BILLED].values()), Decimal(0))
        return billed - sum((Decimal(str(value)) for value in found[CREDIT].values()), Decimal(0))

    def series(self, name: str) -> set[Labels]:
        return {labels for metric in (BILLED, CREDIT) for labels in self.exposed[name][metric]}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return world()


@pytest.fixture(scope="module")
def split(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[part_of(row)].append(row)
    assert len(parts) == 4
    parts["one for all"] = rows
    folder: Path = tmp_path_factory.mktemp("split")
    with ExitStack() as stack:
        exporters = {}
        for number, (name, mine) in enumerate(parts.items()):
            own = folder / str(number)
            (own / "export").mkdir(parents=True)
            write_json_lines(own / "export" / "rows.jsonl", mine)
            config = write_config(own, f"{own}/export/*.jsonl", interval_seconds=60)
            exporters[name] = stack.enter_context(serving(config))
        yield Split(exporters)


def test_the_sums_over_all_are_the_sums_of_one_exporter_and_of_the_rows(
    split: Split, rows: list[Row]
) -> None:
    parts = [name for name in split.exposed if name != "one for all"]
    wanted = net_of_rows(rows)
    assert sum((split.net(name) for name in parts), Decimal(0)) == wanted
    assert split.net("one for all") == wanted


def test_each_exporter_has_what_its_own_rows_cost(split: Split, rows: list[Row]) -> None:
    parts = {part_of(row) for row in rows}
    assert {name: split.net(name) for name in parts} == {
        name: net_of_rows([row for row in rows if part_of(row) == name]) for name in parts
    }


def test_no_series_is_in_two_exporters_and_none_is_missing(split: Split) -> None:
    parts = [split.series(name) for name in split.exposed if name != "one for all"]
    together = set[Labels]().union(*parts)
    assert sum(map(len, parts)) == len(together)
    assert together == split.series("one for all")
