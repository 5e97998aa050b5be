"""`snapshot`: what the command prints equals an independent SQL sum over the same rows."""

from __future__ import annotations

import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli.main import main
from tests.support.examples import examples
from tests.support.export_rows import Row, export_row, export_time, write_json_lines, write_parquet

HOUR = timedelta(hours=1)
SHORT_NIGHT = datetime(2026, 11, 1, 7, tzinfo=UTC)
"""Midnight at which a Pacific day of 25 hours began."""

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process: exit code, standard output, standard error."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stopped:
            code = int(str(stopped.code))
    out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()  # type: ignore[attr-defined]


def config_file(folder: Path, files: str = "*.parquet") -> Path:
    path = folder / "config.yml"
    path.write_text(
        json.dumps({"ledger": str(folder / "spend.duckdb"), "gcp": {"billing_export": {"files": [files]}}})
    )
    return path


def snapshot(folder: Path, *options: str) -> Samples:
    code, text, errors = run(
        "snapshot", "--config", str(config_file(folder)), "--log-level", "error", *options
    )
    assert code == 0, errors
    return samples(text)


def samples(text: str) -> Samples:
    found: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def by(values: dict[tuple[tuple[str, str], ...], float], *names: str) -> dict[tuple[str, ...], float]:
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for labels, value in values.items():
        labelled = dict(labels)
        sums[tuple(labelled.get(name, "") for name in names)] += value
    return sums


def truth(folder: Path, where: str, *columns: str) -> dict[tuple[str, ...], float]:
    """Net cost in dollars by an SQL sum over the export itself, in no words that the product uses."""
    keys = ", ".join(f"coalesce({column}, '')" for column in columns) or "1"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/Los_Angeles'")
        rows = connection.execute(
            f"""SELECT {keys}, sum(cost / currency_conversion_rate) + coalesce(
                  sum((SELECT sum(c.amount) FROM unnest(credits) AS u(c)) / currency_conversion_rate), 0)
                FROM read_parquet('{folder}/*.parquet') WHERE {where} GROUP BY ALL"""
        ).fetchall()
    return {tuple(row[:-1]) if columns else (): row[-1] for row in rows if row[-1] is not None}


def assert_same(
    found: dict[tuple[str, ...], float], expected: dict[tuple[str, ...], float], size: float
) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert abs(found[key] - value) <= 1e-9 * abs(value) + 1e-15 * size, key


DIMENSIONS = {
    "service_name": "service.description",
    "sku_id": "sku.id",
    "project_id": "project.id",
    "billing_account_id": "billing_account_id",
}

currencies = st.sampled_from([("USD", 1.0), ("EUR", 0.9337), ("EUR", 0.9411)])
amounts = st.floats(1e-7, 1e4)


@st.composite
def export_rows(draw: st.DrawFn) -> list[Row]:
    """Rows around a day of 25 hours: late ones, restatements, credits, taxes, two currencies."""
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        currency, rate = draw(currencies)
        hour = draw(st.integers(-30, 60))
        lag = draw(st.integers(0, 50))
        cost = draw(amounts)
        row = export_row(
            billing_account_id=f"account-{currency}",
            currency=currency,
            currency_conversion_rate=rate,
            service={"id": "s", "description": draw(st.sampled_from(["Cloud Run", "Compute Engine"]))},
            sku={"id": draw(st.sampled_from("abc")), "description": "sku"},
            project=draw(st.sampled_from([{"id": "shop"}, {"id": "ml"}, None])),
            usage_start_time=export_time(SHORT_NIGHT + hour * HOUR + timedelta(minutes=59)),
            export_time=export_time(SHORT_NIGHT + (hour + lag) * HOUR + timedelta(minutes=30)),
            cost=cost,
            cost_type=draw(st.sampled_from(["regular", "regular", "regular", "tax", "rounding_error"])),
            credits=[{"amount": -cost * share} for share in draw(st.lists(st.floats(0, 0.4), max_size=2))],
        )
        rows.append(row)
        if draw(st.booleans()):
            correction = {"id": "1", "type": "PRICE_CORRECTION", "mode": "COMPLETE_NEGATION"}
            later = export_time(SHORT_NIGHT + (hour + lag + draw(st.integers(0, 40))) * HOUR)
            undo = {**row, "cost": -cost, "export_time": later, "adjustment_info": correction}
            rows += [undo, {**undo, "cost": cost / 3}]
    return rows


@pytest.mark.slow
@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=export_rows(), asked=st.integers(0, 120))
def test_windows_as_of_any_hour_equal_an_independent_sum(tmp_path: Path, rows: list[Row], asked: int) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    half = len(rows) // 2
    write_parquet(tmp_path / "a.parquet", rows[:half] or rows)
    if half:
        write_parquet(tmp_path / "b.parquet", rows[half:])
    as_of = SHORT_NIGHT + asked * HOUR
    found = snapshot(tmp_path, "--ledger", ":memory:", "--as-of", f"{as_of:%Y-%m-%dT%H:%M:%SZ}")
    known = f"export_time < TIMESTAMPTZ '{as_of:%Y-%m-%d %H:%M:%S}+00'"
    # Not usage_start_time::DATE: DuckDB 2.0 drops files by their statistics cast in UTC, whatever the zone.
    local = "timezone('America/Los_Angeles', usage_start_time)::DATE"
    now = f"TIMESTAMPTZ '{as_of:%Y-%m-%d %H:%M:%S}+00'"
    windows = {
        "spend_today_usd": f"{local} = {now}::DATE",
        "spend_yesterday_usd": f"{local} = {now}::DATE - 1",
        "spend_month_to_date_usd": f"date_trunc('month', {local}) = date_trunc('month', {now}::DATE)",
        "spend_last_month_usd": f"date_trunc('month', {local}) "
        f"= date_trunc('month', date_trunc('month', {now}::DATE) - INTERVAL 1 DAY)",
    }
    assert found["spend_source_up"] == {(("source", "files"),): 1.0}
    size = sum(abs(row["cost"]) for row in rows) * 4
    for metric, window in windows.items():
        where = f"{known} AND {window}"
        assert_same(by(found[metric]), truth(tmp_path, where), size)
        for label, column in DIMENSIONS.items():
            assert_same(by(found[metric], label), truth(tmp_path, where, column), size)


@pytest.mark.slow
def test_invoices_are_in_their_own_currency_and_by_their_own_month(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "a.parquet",
        [
            export_row(cost=10, currency="EUR", currency_conversion_rate=0.5, credits=[{"amount": -1}]),
            export_row(cost=3, invoice={"month": "202612"}),
            export_row(cost=2, cost_type="tax", invoice={"month": "202612"}),
        ],
    )
    invoices = snapshot(tmp_path)["spend_invoice_month_cost"]
    assert by(invoices, "invoice_month", "currency", "charge_category") == {
        ("202611", "EUR", "usage"): 10,
        ("202611", "EUR", "credit"): -1,
        ("202612", "USD", "usage"): 3,
        ("202612", "USD", "tax"): 2,
    }


@pytest.mark.slow
def test_unknown_is_absent_and_known_to_be_nothing_is_zero(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row(cost=0.0)])
    found = snapshot(tmp_path, "--as-of", "2026-11-10T20:00:00Z")
    assert by(found["spend_today_usd"]) == {(): 0.0}
    assert found["spend_yesterday_usd"] == {}
    assert found["spend_last_month_usd"] == {}


@pytest.mark.slow
def test_folded_or_not_every_sum_is_the_same(tmp_path: Path) -> None:
    chance = random.Random(3)
    rows = [
        export_row(
            sku={"id": f"sku-{number}", "description": f"SKU {number}"},
            service={"id": "s", "description": f"service {number % 4}"},
            cost=chance.random() * 10 ** chance.randint(-6, 2),
            credits=[{"amount": -chance.random()}] if number % 3 == 0 else [],
        )
        for number in range(300)
    ]
    write_parquet(tmp_path / "a.parquet", rows)
    whole = snapshot(tmp_path, "--ledger", ":memory:")
    path = config_file(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_series": 200}))
    code, text, _ = run("snapshot", "--config", str(path), "--ledger", ":memory:")
    folded = samples(text)
    assert code == 0
    for metric in ("spend_month_to_date_usd", "spend_billed_usd_total", "spend_billed_credit_usd_total"):
        count = folded["spend_series_folded"][(("metric", metric),)]
        assert count > 50
        assert len(folded[metric]) < len(whole[metric])
        for labels in ((), ("service_name",), ("charge_category",), ("billing_account_id",)):
            for key, value in by(whole[metric], *labels).items():
                assert by(folded[metric], *labels)[key] == pytest.approx(value, rel=1e-9)
    assert sum(len(values) for name, values in folded.items() if "_usd" in name) <= 200


@pytest.mark.slow
def test_a_label_of_any_text_comes_out_as_it_went_in(tmp_path: Path) -> None:
    strange = 'quote " newline \n backslash \\ emoji 🦆 ' + "x" * 10_000
    write_parquet(tmp_path / "a.parquet", [export_row(sku={"id": "1", "description": strange})])
    found = snapshot(tmp_path)
    assert by(found["spend_month_to_date_usd"], "sku").keys() == {(strange,)}


@pytest.mark.slow
def test_a_failing_source_is_reported_and_the_rest_is_printed_with_exit_code_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_json_lines(tmp_path / "good.jsonl", [export_row()])
    code, text, _ = run("snapshot", "--config", str(config_file(tmp_path, "*.parquet")))
    assert code == 1
    assert samples(text)["spend_source_up"] == {(("source", "files"),): 0}
    assert samples(text)["spend_source_errors_total"] == {(("reason", "no_files"), ("source", "files")): 1}
    assert "gcp.billing_export.files" in caplog.text


@pytest.mark.slow
def test_openmetrics_and_a_file_to_replace_can_be_requested(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    output = tmp_path / "spend.prom"
    output.write_text("old")
    code, text, _ = run(
        "snapshot", "--config", str(config_file(tmp_path)), "--format", "openmetrics", "--output", str(output)
    )
    assert (code, text) == (0, "")
    assert "spend_billed_usd" in {family.name for family in parse_openmetrics(output.read_text())}
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.parquet",
        "config.yml",
        "spend.duckdb",
        "spend.prom",
    }


@pytest.mark.slow
def test_a_file_that_shows_a_bill_is_not_replaced_by_one_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    output = tmp_path / "spend.prom"
    arguments = ("snapshot", "--config", str(config_file(tmp_path)), "--ledger", ":memory:")
    assert run(*arguments, "--output", str(output))[0] == 0
    good = output.read_bytes()
    (tmp_path / "a.parquet").unlink()
    code, _, _ = run(*arguments, "--output", str(output))
    assert code == 1
    assert output.read_bytes() == good
    assert "is not replaced" in caplog.text


@pytest.mark.slow
def test_a_figure_that_cannot_be_computed_makes_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(*_arguments: object) -> object:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("exporter.metrics.collect.Budgeting.outlooks", raising)
    write_parquet(tmp_path / "a.parquet", [export_row()])
    code, text, _ = run("snapshot", "--config", str(config_file(tmp_path)))
    assert code == 1
    assert samples(text)["spend_figure_success"][(("figure", "budgets"),)] == 0
    assert "the figure budgets could not be computed" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as-of", "2026-11-20T18:30:00Z"], "is not a whole hour"),
        (["--as-of", "yesterday"], "is not a time; write for example 2026-11-20T18:00:00Z"),
        (["--format", "xml"], "invalid choice: 'xml'"),
    ],
)
def test_wrong_usage_is_reported_with_exit_code_2(
    tmp_path: Path, arguments: Iterable[str], message: str
) -> None:
    code, text, error = run("snapshot", "--config", str(config_file(tmp_path)), *arguments)
    assert (code, text) == (2, "")
    assert message in error


def test_a_wrong_configuration_is_reported_with_exit_code_2_and_nothing_is_started(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(f"ledger: {tmp_path}/spend.duckdb\nmax_series: few\ngcp: {{billing_exports: 1}}\n")
    code, text, errors = run("snapshot", "--config", str(path))
    assert (code, text) == (2, "")
    assert "max_series" in errors
    assert "gcp.billing_exports" in errors
    assert [each.name for each in tmp_path.iterdir()] == ["config.yml"]


def test_a_configuration_that_is_not_there_is_reported_with_exit_code_2(tmp_path: Path) -> None:
    code, _, errors = run("serve", "--config", str(tmp_path / "none.yml"))
    assert code == 2
    assert "cannot be read (No such file or directory)" in errors


@pytest.mark.slow
def test_reading_again_and_again_changes_no_figure(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row(), export_row(cost=2.5, credits=[{"amount": -1}])])

    def figures() -> Samples:
        varying = ("spend_source", "spend_figure_duration_seconds")
        return {name: values for name, values in snapshot(tmp_path).items() if not name.startswith(varying)}

    first = figures()
    assert figures() == first
    (tmp_path / "a.parquet").touch()
    assert figures() == first


@pytest.mark.slow
def test_what_does_not_fit_into_memory_goes_to_the_spool_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not into the working directory, which in a container nobody may write."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT 'account' AS billing_account_id, {{'id': 'sku-' || i % 500}} AS sku,
              TIMESTAMPTZ '2026-11-20 00:00:00+00' - to_hours((i // 500)::INT) AS usage_start_time,
              TIMESTAMPTZ '2026-11-20 05:00:00+00' - to_hours((i // 500)::INT) AS export_time,
              1.0 AS cost, 'USD' AS currency, 1.0 AS currency_conversion_rate
            FROM range(300000) AS t(i)) TO '{tmp_path}/large.parquet' (FORMAT parquet)"""
        )
    spool, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    for folder in (spool, elsewhere):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    monkeypatch.chdir(elsewhere)
    # A file in the way of the folder that DuckDB would make here.
    (elsewhere / ".tmp").write_text("")
    found = snapshot(tmp_path, "--ledger", ":memory:")
    assert by(found["spend_billed_usd_total"]) == {(): 300_000.0}
    assert list(spool.iterdir()) == []
    assert [path.name for path in elsewhere.iterdir()] == [".tmp"]


def ledger_without(folder: Path, table: str) -> Path:
    """Read a small export into the ledger, then damage the ledger so that queries of one table fail."""
    write_json_lines(folder / "export.jsonl", [export_row()])
    code, _, err = run("snapshot", "--config", str(config_file(folder, "*.jsonl")))
    assert code == 0, err
    with duckdb.connect(str(folder / "spend.duckdb")) as connection:
        connection.execute(f"DROP TABLE {table}")
    return config_file(folder, "*.jsonl")


@pytest.mark.slow
def test_a_textfile_stays_where_no_snapshot_can_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = ledger_without(tmp_path, "restated")
    output = tmp_path / "spend.prom"
    output.write_text("spend_llm_requests_total 3\n")

    code, _, _ = run("snapshot", "--config", str(config), "--output", str(output))

    assert code == 1
    assert output.read_text() == "spend_llm_requests_total 3\n"
    assert f"{output} is unchanged" in caplog.text


@pytest.mark.slow
def test_a_figure_whose_query_fails_costs_no_other(tmp_path: Path) -> None:
    config = ledger_without(tmp_path, "usage_hour")

    code, text, _ = run("snapshot", "--config", str(config))

    found = samples(text)
    outcomes = {key[0][1]: value for key, value in found["spend_figure_success"].items()}
    assert code == 1
    assert {outcomes["language_models"], outcomes["bill"], outcomes["settled_days"]} == {0.0, 1.0}
    assert outcomes["bill"] == 1.0
    assert sum(found["spend_invoice_month_cost"].values()) == 1.25


@pytest.mark.slow
def test_as_of_reports_what_became_known_later_and_known_now_counts_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        export_row(
            cost=5.0, usage_start_time=f"2026-11-{day:02d} 08:00:00 UTC", export_time=f"{exported} UTC"
        )
        for day, exported in (
            (9, "2026-11-09 13:00:00"),
            (10, "2026-11-12 13:00:00"),
            (14, "2026-11-15 13:00:00"),
        )
    ]
    write_json_lines(tmp_path / "export.jsonl", rows)
    config = str(config_file(tmp_path, "*.jsonl"))
    arguments = ("snapshot", "--config", config, "--ledger", ":memory:", "--as-of", "2026-11-11T20:00:00Z")

    code, text, _ = run(*arguments)
    assert (code, by(samples(text)["spend_month_to_date_usd"])) == (0, {(): 5.0})
    assert "left out 1 charge of usage before 2026-11-11 20:00 UTC, $5.00" in caplog.text
    assert "only from 2026-11-12 13:00 UTC on" in caplog.text

    caplog.clear()
    code, text, _ = run(*arguments, "--known-now")
    assert (code, by(samples(text)["spend_month_to_date_usd"])) == (0, {(): 10.0})
    assert by(samples(text)["spend_billed_usd_total"]) == {(): 10.0}
    assert "left out" not in caplog.text


def test_known_now_without_an_hour_is_wrong_usage(tmp_path: Path) -> None:
    assert run("snapshot", "--config", str(config_file(tmp_path)), "--known-now")[0] == 2
