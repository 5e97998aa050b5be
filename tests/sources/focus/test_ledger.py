"""FOCUS files through intake and ledger: whatever happens to them, every dollar is there once."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ledger.charges.store import Ledger
from exporter.refresh.intake import Intake
from exporter.sources.base import RefreshTally
from exporter.sources.focus.source import FocusSource
from tests.support.focus_rows import Row, focus_row, write_focus_csv, write_focus_parquet

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEEP = timedelta(days=400)
ALL_TIME = {"all": (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))}
PROVIDERS = {"AWS": "aws", "Microsoft": "azure", "Snowflake Inc.": "snowflake"}

rows_of_a_file = st.lists(
    st.builds(
        lambda cost, name, kind, hour: focus_row(
            BilledCost=f"{Decimal(cost).scaleb(-12):f}",
            ProviderName=name,
            ChargeClass=kind,
            ChargeCategory="Usage" if cost >= 0 else "Credit",
            ChargePeriodStart=f"2026-11-10T{hour:02}:00:00Z",
        ),
        st.integers(-(10**15), 10**15),
        st.sampled_from(list(PROVIDERS)),
        st.sampled_from([None, "Correction"]),
        st.integers(0, 23),
    ),
    min_size=1,
    max_size=6,
)
steps = st.lists(
    st.tuples(st.sampled_from(["a.csv", "b.csv", "c.parquet"]), st.none() | rows_of_a_file),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(steps=steps, seed=st.integers(0, 1000))
def test_the_ledger_has_each_dollar_of_the_files_that_are_there_once(
    steps: list[tuple[str, list[Row] | None]], seed: int
) -> None:
    """A step writes a file anew or deletes it; then all is read, sometimes twice or by a new process."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, spool = Path(name) / "focus", Path(name) / "spool"
        folder.mkdir()
        spool.mkdir()
        write_focus_csv(folder / "always.csv", [focus_row()])
        files: dict[str, list[Row]] = {"always.csv": [focus_row()]}
        ledger = Ledger(Path(name) / "spend.duckdb")
        try:
            for file, rows in steps:
                if rows is None:
                    (folder / file).unlink(missing_ok=True)
                    files.pop(file, None)
                else:
                    # Each file is of an account of its own, so that none repeats another's rows by chance.
                    files[file] = [{**row, "SubAccountId": file} for row in rows]
                    _write(folder / file, files[file])
                for _ in range(chance.randint(1, 2)):
                    if chance.random() < 0.3:
                        ledger.close()
                        ledger = Ledger(Path(name) / "spend.duckdb")
                    _read_all(ledger, folder, spool)
                assert _ledger_sums(ledger) == _file_sums(files)
            assert _ledger_sums(ledger) == _file_sums(files)
        finally:
            ledger.close()


def _write(path: Path, rows: list[Row]) -> None:
    if path.suffix == ".csv":
        write_focus_csv(path, rows)
        return
    table = write_focus_csv(path.with_name("table.tmp"), rows)
    part = write_focus_parquet(path.with_name("part.tmp"), table, "DECIMAL(38,18)")
    table.unlink()
    shutil.move(part, path)


def _read_all(ledger: Ledger, folder: Path, spool: Path) -> None:
    source = FocusSource([str(folder / "*.csv"), str(folder / "*.parquet")])
    intake = Intake(ledger, spool, KEEP, lambda: NOW)
    context = intake.context(source, RefreshTally(), lambda: False)
    for change in source.refresh(context):
        _, _, rejected = intake.store(source, change, context.latest_plausible)
        assert rejected == ()
    intake.forget_old()
    assert list(spool.iterdir()) == []


def _ledger_sums(ledger: Ledger) -> dict[str, Decimal]:
    with ledger.view(["focus"]) as view:
        return {
            provider: sum(
                (sums[0] or Decimal(0) for _, sums in view.window_sums(provider, ALL_TIME)), Decimal(0)
            )
            for provider in view.providers()
        }


def _file_sums(files: dict[str, list[Row]]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for rows in files.values():
        for row in rows:
            sums[PROVIDERS[str(row["ProviderName"])]] += Decimal(str(row["BilledCost"]))
    return dict(sums)
