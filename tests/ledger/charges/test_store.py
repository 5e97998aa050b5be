"""The ledger counts every dollar once, whatever is read twice, restated, cut short or forgotten."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from exporter.ledger.schema import SCHEMA_VERSION
from tests.support.charge_rows import HOUR, charge, put

DAY = datetime(2026, 11, 10, tzinfo=UTC)
ALL_TIME = {"all": (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "spend.duckdb")
    yield opened
    opened.close()


def net(ledger: Ledger, before: datetime | None = None) -> Decimal:
    with ledger.view(["files"], before) as view:
        return sum((sums[0] or Decimal(0) for _, sums in view.window_sums("gcp", ALL_TIME)), Decimal(0))


def counters(ledger: Ledger, before: datetime | None = None) -> tuple[Decimal, Decimal]:
    with ledger.view(["files"], before) as view:
        totals = view.series_totals()
    return (
        sum((each.billed_usd for each in totals), Decimal(0)),
        sum((each.credit_usd for each in totals), Decimal(0)),
    )


def restated(ledger: Ledger) -> dict[str, Decimal]:
    with ledger.view(["files"]) as view:
        return {direction: usd for _, direction, usd in view.restated()}


def test_reading_the_same_partition_twice_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(2):
        put(ledger, tmp_path, "a", charge("2"), charge("-0.5", charge_category="credit"))
        assert net(ledger) == Decimal("1.5")
        assert counters(ledger) == (Decimal(2), Decimal("0.5"))
    assert ledger.cursors("files") == {"a": "cursor of a"}


def test_rows_that_resemble_each_other_are_all_kept(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("2"))
    put(ledger, tmp_path, "b", charge("2"))
    assert net(ledger) == Decimal(4)


def test_a_replaced_partition_replaces_its_charges_and_no_others(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("2"), charge("3", sku_id="other"))
    put(ledger, tmp_path, "b", charge("10"))
    put(ledger, tmp_path, "a", charge("4"))
    assert net(ledger) == Decimal(14)


def test_a_counter_never_falls_and_counts_a_restored_file_once(ledger: Ledger, tmp_path: Path) -> None:
    whole = [charge("2"), charge("3", sku_id="other")]
    put(ledger, tmp_path, "a", *whole)
    put(ledger, tmp_path, "a", whole[0])
    assert net(ledger) == Decimal(2)
    assert counters(ledger)[0] == Decimal(5)
    put(ledger, tmp_path, "a", *whole, charge("1", sku_id="other", export_hour=DAY + 20 * HOUR))
    assert net(ledger) == Decimal(6)
    assert counters(ledger)[0] == Decimal(6)


def test_negative_charges_and_corrections_are_counted_as_credits_received(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        charge("10"),
        charge("-3", charge_category="adjustment"),
        charge("1.5", charge_category="adjustment", sku_id="b"),
        charge("-2", charge_category="credit"),
        charge("0.25", charge_category="credit", sku_id="b"),
        charge("-1", sku_id="c"),
        charge("0.5", charge_category="tax"),
        charge("7", charge_category="purchase"),
    )
    assert counters(ledger) == (Decimal("17.5"), Decimal(6))
    assert restated(ledger) == {"down": Decimal(3), "up": Decimal("1.75")}
    billed, credited = counters(ledger)
    assert billed - credited + restated(ledger)["up"] == net(ledger)


@pytest.mark.slow
def test_growth_of_the_latest_export_hour_is_news_but_a_change_of_older_ones_is_a_restatement(
    ledger: Ledger, tmp_path: Path
) -> None:
    first, last = (charge("5", export_hour=DAY + hours * HOUR) for hours in (13, 14))
    put(ledger, tmp_path, "a", first, last)
    put(ledger, tmp_path, "a", first, charge("6", export_hour=last.export_hour))
    assert restated(ledger) == {}
    put(ledger, tmp_path, "a", charge("4.5", export_hour=first.export_hour), last)
    assert restated(ledger) == {"down": Decimal("0.5")}
    put(ledger, tmp_path, "a", charge("4.75", export_hour=first.export_hour), last)
    assert restated(ledger) == {"down": Decimal("0.5"), "up": Decimal("0.25")}


def test_charges_alike_in_all_but_their_rate_are_no_restatement_of_each_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    alike = [charge("5"), charge("7"), charge("1", export_hour=DAY + 20 * HOUR)]
    for _ in range(2):
        put(ledger, tmp_path, "a", *alike)
        assert net(ledger) == Decimal(13)
        assert restated(ledger) == {}


def test_a_retracted_partition_takes_its_charges_with_it(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("2"))
    put(ledger, tmp_path, "b", charge("3"))
    ledger.retract("files", "a")
    assert net(ledger) == Decimal(3)
    assert counters(ledger)[0] == Decimal(5)
    assert ledger.cursors("files").keys() == {"b"}


def test_sources_that_are_not_read_are_kept_but_not_counted(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("2"))
    put(ledger, tmp_path, "a", charge("2"), source="bigquery")
    assert net(ledger) == Decimal(2)
    with ledger.view(["bigquery", "files"]) as view:
        assert len(view.series_totals()) == 2


def test_as_of_an_hour_only_what_was_exported_before_it_is_known(ledger: Ledger, tmp_path: Path) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        charge("2", export_hour=DAY + 12 * HOUR),
        charge("3", export_hour=DAY + 13 * HOUR),
        charge("-1", export_hour=DAY + 14 * HOUR, charge_category="adjustment"),
    )
    assert [net(ledger, DAY + hour * HOUR) for hour in (12, 13, 14, 15)] == [0, 2, 5, 4]
    assert counters(ledger, DAY + 14 * HOUR) == (Decimal(5), Decimal(0))
    assert counters(ledger, DAY + 15 * HOUR) == (Decimal(5), Decimal(1))


@pytest.mark.slow
def test_forgotten_usage_leaves_the_sums_but_not_the_counters(ledger: Ledger, tmp_path: Path) -> None:
    old = charge("2", charge_period_start=DAY - 3 * HOUR)
    new = charge("3", charge_period_start=DAY + 3 * HOUR)
    put(ledger, tmp_path, "a", old, new)
    ledger.forget_before(DAY)
    assert net(ledger) == Decimal(3)
    assert counters(ledger)[0] == Decimal(5)
    put(ledger, tmp_path, "a", old, new)
    assert (net(ledger), counters(ledger)[0]) == (Decimal(3), Decimal(5))
    ledger.forget_before(DAY - timedelta(days=30))
    assert ledger.kept_from() == DAY
    put(ledger, tmp_path, "a", old, new, charge("1", charge_period_start=DAY + 4 * HOUR))
    assert (net(ledger), counters(ledger)[0]) == (Decimal(4), Decimal(6))


def test_a_restart_continues_where_the_ledger_was(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "spend.duckdb")
    put(first, tmp_path, "a", charge("2"), charge("-1", charge_category="adjustment"))
    first.close()
    second = Ledger(tmp_path / "spend.duckdb")
    assert (net(second), counters(second), restated(second)) == (
        Decimal(1),
        (Decimal(2), Decimal(1)),
        {"down": Decimal(1)},
    )
    assert second.cursors("files") == {"a": "cursor of a"}
    second.close()


def test_a_folded_series_that_gets_its_own_place_leaves_its_past_in_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", charge("2"), charge("3", sku_id="b"))
    with ledger.view(["files"]) as view:
        ids = {each.labels[4]: each.series_id for each in view.series_totals()}
    ledger.publish([ids["CF4E-A0C7-E3BF"]], [ids["b"]])
    ledger.publish([ids["b"]], [])
    with ledger.view(["files"]) as view:
        found = {each.labels[4]: (each.published, each.billed_base_usd) for each in view.series_totals()}
    assert found == {"CF4E-A0C7-E3BF": ("own", Decimal(0)), "b": ("own", Decimal(3))}


@pytest.mark.slow
def test_a_second_process_on_the_same_file_is_reported(ledger: Ledger) -> None:
    program = (
        "import sys; from pathlib import Path; from exporter.ledger.charges.store import Ledger\n"
        "from exporter.ledger.opening import LedgerError\n"
        "try: Ledger(Path(sys.argv[1]))\n"
        "except LedgerError as error: print(error.reason, error)"
    )
    reported = subprocess.run(
        [sys.executable, "-c", program, str(ledger.path)], capture_output=True, text=True, check=True
    ).stdout
    assert reported.startswith("ledger_in_use ledger ")
    assert "in use by another process" in reported
    assert "`ledger`" in reported


def test_a_ledger_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    ledger = Ledger(path)
    put(ledger, tmp_path, "a", charge("2"))
    with ledger.transaction() as connection:
        connection.execute("UPDATE setting SET value = '99' WHERE name = 'schema_version'")
    ledger.close()
    with pytest.raises(
        LedgerError, match=rf"schema is 99, this version knows {SCHEMA_VERSION}.*upgrade"
    ) as raised:
        Ledger(path)
    assert raised.value.reason == "ledger_newer"


def test_a_file_that_is_no_ledger_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    path.write_bytes(b"these are my holiday pictures" * 1000)
    with pytest.raises(LedgerError, match="not a ledger, or is damaged: move it away") as raised:
        Ledger(path)
    assert raised.value.reason == "ledger_damaged"
    assert path.read_bytes().startswith(b"these are my holiday pictures")


@pytest.mark.slow
def test_rewriting_one_partition_for_ever_does_not_grow_the_file_for_ever(
    ledger: Ledger, tmp_path: Path
) -> None:
    charges = [charge("1", sku_id=f"sku-{number}") for number in range(500)]
    put(ledger, tmp_path, "a", *charges)
    sizes = []
    for _ in range(40):
        put(ledger, tmp_path, "a", *charges)
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("spend.duckdb*")))
    assert net(ledger) == Decimal(500)
    assert max(sizes) < 24e6


categories = st.sampled_from(["usage", "purchase", "tax", "adjustment", "credit"])
dollars = st.decimals(-(10**6), 10**6, places=9, allow_nan=False)
some_charges = st.lists(
    st.builds(
        lambda usd, category, sku, hour, lag: charge(
            usd,
            charge_category=category,
            sku_id=sku,
            charge_period_start=DAY + hour * HOUR,
            export_hour=DAY + (hour + lag) * HOUR,
        ),
        dollars,
        categories,
        st.sampled_from("abc"),
        st.integers(0, 30),
        st.integers(0, 50),
    ),
    max_size=8,
    unique_by=lambda each: (each.charge_category, each.sku_id, each.charge_period_start, each.export_hour),
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from("pq"), some_charges), min_size=1, max_size=5))
def test_the_sum_is_that_of_the_last_state_of_each_partition_and_no_counter_falls(
    tmp_path: Path, steps: list[tuple[str, list[object]]]
) -> None:
    ledger = Ledger(None)
    state: dict[str, list[object]] = {}
    highest = (Decimal(0), Decimal(0))
    for partition, charges in steps:
        for _ in range(2):
            put(ledger, tmp_path, partition, *charges)  # type: ignore[arg-type]
        state[partition] = charges
        now = counters(ledger)
        assert now[0] >= highest[0]
        assert now[1] >= highest[1]
        highest = now
    rows = [row for charges in state.values() for row in charges]
    assert net(ledger) == sum((row.billed_cost_usd for row in rows), Decimal(0))  # type: ignore[attr-defined]
    ledger.close()
