"""`spend-exporter backfill`: what is in the files, and what is refused before Prometheus is touched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.cli.main import main
from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import charge
from tests.support.history_world import billing_day, charges, keep
from tests.support.programs import needs

pytestmark = pytest.mark.slow

FIRST, END = date(2026, 1, 29), date(2026, 2, 3)


HOLD = """
import sys
from pathlib import Path
from exporter.ledger.charges.store import Ledger
ledger = Ledger(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
ledger.close()
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEND_TEST_KEY", "sk-test")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return keep(tmp_path, list(charges(date(2026, 1, 27), date(2026, 2, 5))))


def backfill(config: Path, *more: str, first: date = FIRST, end: date = END) -> int:
    out = config.parent / "out"
    days = ["--from", first.isoformat(), "--to", end.isoformat()]
    return main(["backfill", "--config", str(config), "--out", str(out), *days, *more])


def samples(path: Path) -> dict[tuple[str, ...], float]:
    """By label values and time; the parser refuses what is not OpenMetrics, as samples out of order."""
    text = path.read_text(encoding="utf-8")
    [family] = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    name, _, month = path.stem.partition("-")
    assert (family.name, family.type, family.unit) == (name, "gauge", "usd")
    assert month
    return {(*each.labels.values(), f"{float(each.timestamp):.0f}"): each.value for each in family.samples}


def test_a_month_has_a_file_and_the_files_have_every_hour_of_the_billing_days(config: Path) -> None:
    assert backfill(config) == 0
    files = sorted((config.parent / "out").glob("spend_hourly_usd-*.om"))
    assert [file.name for file in files] == ["spend_hourly_usd-2026-01.om", "spend_hourly_usd-2026-02.om"]
    expected: dict[tuple[str, ...], Decimal] = {}
    for row in charges(date(2026, 1, 27), date(2026, 2, 5)):
        if FIRST <= billing_day(row) < END:
            stamp = f"{row.charge_period_start.timestamp() + 3599:.0f}"
            key = (row.provider, row.project_id, row.service_name, row.charge_category, stamp)
            expected[key] = expected.get(key, Decimal(0)) + row.billed_cost_usd
    found = {key: value for file in files for key, value in samples(file).items()}
    assert found == pytest.approx({key: float(usd) for key, usd in expected.items()}, rel=1e-12)
    january = [float(key[-1]) for key in samples(files[0])]
    assert max(january) < datetime(2026, 2, 1, tzinfo=UTC).timestamp()


def test_each_billing_day_has_a_sample_at_noon_of_its_date_in_the_file_of_its_month(config: Path) -> None:
    assert backfill(config) == 0
    files = sorted((config.parent / "out").glob("spend_daily_usd-*.om"))
    assert [file.name for file in files] == ["spend_daily_usd-2026-01.om", "spend_daily_usd-2026-02.om"]
    expected: dict[tuple[str, ...], Decimal] = {}
    for row in charges(date(2026, 1, 27), date(2026, 2, 5)):
        if FIRST <= (day := billing_day(row)) < END:
            stamp = f"{datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp():.0f}"
            key = (row.provider, row.project_id, row.service_name, row.charge_category, stamp)
            expected[key] = expected.get(key, Decimal(0)) + row.billed_cost_usd
    found = {key: value for file in files for key, value in samples(file).items()}
    assert found == pytest.approx({key: float(usd) for key, usd in expected.items()}, rel=1e-12)
    assert {key[-1] for key in samples(files[0])} == {
        f"{datetime(2026, 1, day, 12, tzinfo=UTC).timestamp():.0f}" for day in (29, 30, 31)
    }


def test_days_are_divided_by_category_label_and_model_and_carry_the_job(config: Path) -> None:
    written = json.loads(config.read_text())
    rules = {"cost_attribution": {"models": {"services": ["OpenAI API"]}}, "label_costs": ["team"]}
    config.write_text(json.dumps({**written, **rules, "history": {"job": "spend-staging"}}))
    assert backfill(config) == 0
    out = config.parent / "out"
    by_file: dict[str, dict[tuple[str, ...], float]] = {}
    for file in sorted(out.glob("*-2026-01.om")):
        by_file[file.stem.partition("-")[0]] = samples(file)
    assert {key[0] for each in by_file.values() for key in each} == {"spend-staging"}

    def sums(name: str, provider: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for key, usd in by_file[name].items():
            if key[1] == provider:
                found[key[-1]] = found.get(key[-1], 0.0) + usd
        return found

    for provider in ("gcp", "openai"):
        days = pytest.approx(sums("spend_daily_usd", provider))
        assert sums("spend_category_daily_usd", provider) == days
        assert sums("spend_label_daily_usd", provider) == days
    assert sums("spend_llm_daily_usd", "openai") == pytest.approx(sums("spend_daily_usd", "openai"))
    assert sums("spend_llm_daily_usd", "gcp") == {}
    categories = {key[1:3] for key in by_file["spend_category_daily_usd"]}
    assert categories == {("gcp", "unattributed"), ("openai", "models")}


def test_a_month_that_lost_its_cost_leaves_no_file_of_an_earlier_run(config: Path) -> None:
    assert backfill(config) == 0
    (config.parent / "spend.duckdb").unlink()
    keep(config.parent, [row for row in charges(FIRST, END) if row.charge_period_start.month == 2])
    assert backfill(config) == 0
    # The ledger's first hours of February (UTC) are of January's last day.
    assert sorted(file.name for file in (config.parent / "out").iterdir()) == [
        "spend_daily_usd-2026-01.om",
        "spend_daily_usd-2026-02.om",
        "spend_hourly_usd-2026-02.om",
        "spend_llm_daily_usd-2026-02.om",
    ]


def test_days_without_cost_are_trouble(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert backfill(config, first=date(2024, 1, 1), end=date(2024, 2, 1)) == 1
    assert "no cost for the days from 2024-01-01" in caplog.text


def test_a_day_that_is_deleted_in_part_is_left_out_with_a_warning(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(config.parent / "spend.duckdb")
    ledger.forget_before(datetime(2026, 1, 31, 20, tzinfo=UTC))
    ledger.close()
    assert backfill(config) == 0
    assert "gcp: charges of usage before 2026-02-01 have been deleted" in caplog.text
    times = [
        float(key[-1])
        for file in (config.parent / "out").glob("spend_hourly_usd-*.om")
        for key in samples(file)
        if "gcp" in key
    ]
    assert min(times) == datetime(2026, 2, 1, 8, 59, 59, tzinfo=UTC).timestamp()


def test_a_ledger_in_use_is_reported_with_ways_around_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(config.parent / "spend.duckdb")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert backfill(config) == 1
        holder.communicate(b"")
    assert "--ledger :memory:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--to", "2026-01-29"], "must be after"),
        (["--create-blocks", "missing"], "is not a folder"),
        (["--create-blocks", "out"], "does not look like Prometheus' storage"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    config: Path, more: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [str(config.parent / word) if word in ("missing", "out") else word for word in more]
    assert backfill(config, *more, "--retention", "50y") == 2
    assert expected in capsys.readouterr().err


def test_what_retention_would_drop_is_reported_and_nothing_is_made(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config.parent / "tsdb"
    data.mkdir()
    assert backfill(config, "--create-blocks", str(data)) == 2
    errors = capsys.readouterr().err
    assert "with a retention of 15 days" in errors
    files = [
        f"spend_{each}_usd-2026-{month}.om"
        for month in ("01", "02")
        for each in ("hourly", "daily", "llm_daily")
    ]
    assert f"all of {', '.join(files)}" in errors
    assert list(data.iterdir()) == []


def test_the_hours_that_prometheus_holds_in_memory_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    data = tmp_path / "tsdb"
    data.mkdir()
    config = keep(tmp_path, recent(now))
    today = now.date()
    code = backfill(
        config, "--create-blocks", str(data), first=today - timedelta(days=2), end=today + timedelta(days=1)
    )
    assert code == 2
    assert "choose an earlier day for --to" in capsys.readouterr().err


def recent(now: datetime) -> list[Charge]:
    return [
        charge("1", charge_period_start=now - timedelta(hours=hours), export_hour=now) for hours in (2, 9)
    ]


def test_blocks_without_promtool_say_what_to_run(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = config.parent / "tsdb"
    data.mkdir()
    monkeypatch.setenv("PATH", "")
    assert backfill(config, "--create-blocks", str(data), "--retention", "50y") == 1
    assert "create-blocks-from openmetrics --max-block-duration=744h FILE DATA_DIR" in caplog.text
    assert list(data.iterdir()) == []


@needs("promtool", "prometheus")
def test_blocks_do_not_overlap_and_nothing_else_is_left(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config.parent / "tsdb"
    (data / "wal").mkdir(parents=True)
    assert backfill(config, "--create-blocks", str(data), "--retention", "50y") == 0
    names = {path.name for path in data.iterdir()} - {"wal"}
    assert names
    assert all(re.fullmatch("[0-9A-Z]{26}", name) for name in names)
    assert f"{len(names)} blocks" in capsys.readouterr().out


@needs("promtool", "prometheus")
def test_blocks_of_other_days_are_added_to_existing_ones(config: Path) -> None:
    data = config.parent / "tsdb"
    data.mkdir()
    blocks = ["--create-blocks", str(data), "--retention", "50y"]
    middle = date(2026, 2, 1)
    assert backfill(config, *blocks, end=middle) == 0
    # OpenAI's day begins while Google's is not over.
    assert backfill(config, *blocks, first=middle) == 0
    assert backfill(config, *blocks, first=date(2026, 1, 31), end=date(2026, 2, 5)) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give --from, --to and --out; or --compare, or --resend-since"),
        (["--from", "2026-01-01", "--to", "2026-01-02"], "give --from, --to and --out"),
        (["--compare", "--out", "x"], "leave out --from, --to, --out"),
        (["--resend-since", "2026-01-01", "--from", "2026-01-01"], "leave out --from, --to, --out"),
        (["--compare", "--resend-since", "2026-01-01"], "not allowed with argument"),
    ],
)
def test_files_and_the_store_are_not_mixed(
    config: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["backfill", "--config", str(config), *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert told in capsys.readouterr().err


def test_without_remote_write_there_is_no_store_to_compare(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["backfill", "--config", str(config), "--compare"]) == 1
    assert "history.remote_write is not set" in caplog.text
