"""The exposed counters over any history: nothing that happens to sources, process or cap makes one fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext, Retraction
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge
from tests.support.exposed import Samples, samples

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
COUNTERS = ("spend_billed_usd_total", "spend_billed_credit_usd_total", "spend_restated_usd_total")

_numbers = count()


@dataclass(slots=True)
class Steps(TestedSource):
    """A source that yields what it was given since the last refresh."""

    name: str
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"
    next: list[tuple[str, list[Charge] | None]] = field(default_factory=list)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        steps, self.next = self.next, []
        for partition, charges in steps:
            if charges is None:
                yield Retraction(partition)
            else:
                spool = write_spool_csv(context.spool / f"{next(_numbers)}.csv", charges)
                yield Batch(partition, "cursor", spool, len(charges))


class World:
    """A ledger with two sources over it; looks at every snapshot that it makes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{next(_numbers)}.duckdb"
        self._max_series = 40
        self.sources = {name: Steps(name) for name in ("files", "bigquery")}
        self._ledger = Ledger(self._path)
        self._refresher = self._new_refresher()
        self._last: Samples = {}
        self.snapshots_with_folding = 0

    def restart(self, max_series: int) -> None:
        self._ledger.close()
        self._ledger = Ledger(self._path)
        self._max_series = max_series
        self._refresher = self._new_refresher()
        self.rebuild()

    def refresh(self, *names: str) -> None:
        for name in names:
            self._refresher.refresh(self.sources[name])
        self.rebuild()

    def forget(self, days: int) -> None:
        self._ledger.forget_before(NOW - timedelta(days=days))
        self.rebuild()

    def rebuild(self) -> None:
        self._refresher.rebuild()
        found = samples(self._refresher.snapshot.exposition.text)
        for name in COUNTERS:
            for labels, value in self._last.get(name, {}).items():
                assert found[name].get(labels, value) >= value, (name, labels)
        with self._ledger.view(list(self.sources)) as view:
            totals = [each for each in view.series_totals() if each.published is not None]
        billed = sum((each.billed_usd for each in totals), Decimal(0))
        credit = sum((each.credit_usd for each in totals), Decimal(0))
        assert sum(found["spend_billed_usd_total"].values()) == pytest.approx(float(billed), rel=1e-12)
        assert sum(found["spend_billed_credit_usd_total"].values()) == pytest.approx(float(credit), rel=1e-12)
        self.snapshots_with_folding += any(found["spend_series_folded"].values())
        self._last = found

    def close(self) -> None:
        self._ledger.close()

    def _new_refresher(self) -> Refresher:
        return Refresher(
            list(self.sources.values()),
            self._ledger,
            self._folder,
            interval=timedelta(minutes=15),
            keep=timedelta(days=400),
            max_series=self._max_series,
            clock=lambda: NOW,
        )


charges = st.builds(
    lambda usd, category, service, sku, hour, lag: charge(
        usd,
        charge_category=category,
        service_id=service,
        # Two services of one name: two series in the ledger, one in the exposition.
        service_name=service[0],
        sku_id=sku,
        charge_period_start=NOW - hour * HOUR,
        export_hour=NOW - (hour - lag) * HOUR,
    ),
    st.decimals(-(10**5), 10**5, places=9, allow_nan=False),
    st.sampled_from(["usage", "usage", "usage", "purchase", "tax", "adjustment", "credit"]),
    st.sampled_from(["a", "a2", "b"]),
    st.sampled_from("123456"),
    st.integers(3, 24 * 60),
    st.integers(0, 3),
)
partitions = st.tuples(st.sampled_from("pqr"), st.lists(charges, max_size=8) | st.none())
steps = st.one_of(
    st.tuples(st.sampled_from(["files", "bigquery"]), st.lists(partitions, min_size=1, max_size=2)),
    st.tuples(st.just("restart"), st.sampled_from([10, 20, 30, 40, 60, 1000])),
    st.tuples(st.just("forget"), st.integers(1, 60)),
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(history=[("restart", 10), ("restart", 20)])
@example(history=[("files", [("p", [])]), ("restart", 10), ("restart", 20)])
@example(history=[("files", [("p", [])]), ("restart", 20), ("restart", 1000), ("restart", 20)])
@given(history=st.lists(steps, min_size=2, max_size=9))
def test_no_counter_falls_and_their_sum_is_the_ledgers_whatever_happens(
    tmp_path: Path, history: list[tuple[str, object]]
) -> None:
    world = World(tmp_path)
    world.sources["files"].next = [("first", [charge(sku_id=str(number)) for number in range(9)])]
    world.refresh("files")
    for what, detail in history:
        if what == "restart":
            world.restart(detail)  # type: ignore[arg-type]
        elif what == "forget":
            world.forget(detail)  # type: ignore[arg-type]
        else:
            world.sources[what].next = detail  # type: ignore[assignment]
            world.refresh(what)
            world.refresh("files", "bigquery")
    assert world.snapshots_with_folding
    world.close()
