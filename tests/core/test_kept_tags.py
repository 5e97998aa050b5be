"""Labels and tags that are kept: beside charges, from every form of an export, without moving a dollar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.auth.credentials import AnonymousCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import tags_of, tags_text
from exporter.core.kept_tags import RESOURCE_NAME, KeptTag, cursor_mark, kept_name, kept_tags
from exporter.sources.base import Batch, RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource
from exporter.sources.google.bigquery.partitions import VIRTUAL_DAYS
from exporter.sources.google.bigquery.rows import PartitionCharges
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.bigquery.sql import charges_query
from exporter.sources.google.bigquery.table import ExportTable
from tests.fakes.bigquery_export import DAILY_TABLE, FakeExport
from tests.fakes.bigquery_rest import FakeBigQuery
from tests.support.export_rows import WRITERS, export_row

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
KEPT = ("tag:env", "label:team", "label:cost center")
FORMATS = pytest.mark.parametrize("suffix", list(WRITERS))


@pytest.fixture
def context(tmp_path: Path) -> RefreshContext:
    spool = tmp_path / "spool"
    spool.mkdir()
    return RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + timedelta(days=1),
        oldest_kept=NOW - timedelta(days=400),
        spool=spool,
        tally=RefreshTally(),
    )


def read(context: RefreshContext, path: Path, kept: tuple[str, ...] = KEPT) -> Batch:
    (change,) = FilesSource([str(path)], kept_tags=kept).refresh(context)
    assert isinstance(change, Batch)
    return change


def usd_by_tags(batch: Batch) -> dict[str, Decimal]:
    query = f"SELECT tags, sum(billed_cost_usd) FROM '{batch.charges}' GROUP BY tags"
    return dict(duckdb.execute(query).fetchall())


def pairs(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def project(**labels: str) -> dict[str, Any]:
    return {"id": "shop-prod", "labels": pairs(**labels)}


@FORMATS
def test_a_resources_label_goes_before_its_projects_and_tags_are_a_kind_of_their_own(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(cost=1.0, labels=pairs(team="own", other="x"), project=project(team="of project")),
        export_row(cost=2.0, labels=[], project=project(team="of project"), tags=pairs(env="prod")),
        export_row(cost=4.0, labels=[], project=None, tags=pairs(team="no label", env="")),
        export_row(cost=8.0, labels=[{"key": "cost center", "value": "1 \"2\" \\3 ü🦊 '4'"}]),
        export_row(cost=16.0, labels=[], credits=[{"amount": -0.5}]),
        export_row(cost=32.0, labels=pairs(other="team")),
    ]
    batch = read(context, WRITERS[suffix](tmp_path / f"a{suffix}", rows))
    assert usd_by_tags(batch) == {
        '{"label:team":"own"}': 1,
        '{"label:team":"of project","tag:env":"prod"}': 2,
        '{"tag:env":""}': 4,
        tags_text({"label:cost center": "1 \"2\" \\3 ü🦊 '4'"}): 8,
        "": Decimal("47.5"),
    }


@FORMATS
def test_a_charge_is_for_the_resource_that_the_detailed_export_names(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(cost=1.0, resource={"name": "vm-1", "global_name": "//compute/vm-1"}),
        export_row(cost=2.0, resource={"name": 'vm "2"', "global_name": None}),
        export_row(cost=4.0, resource={"name": None, "global_name": None}),
        export_row(cost=8.0, resource=None),
        export_row(cost=16.0, resource={"name": "", "global_name": ""}),
        export_row(cost=32.0, resource={"name": "vm-1"}, credits=[{"amount": -0.5}]),
    ]
    batch = read(context, WRITERS[suffix](tmp_path / f"a{suffix}", rows), (RESOURCE_NAME,))
    assert usd_by_tags(batch) == {
        tags_text({"resource:name": "vm-1"}): Decimal("32.5"),
        tags_text({"resource:name": 'vm "2"'}): 2,
        "": 28,
    }


@FORMATS
def test_an_export_without_the_columns_has_no_tags(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    row = export_row(labels=..., tags=..., project=...)
    assert usd_by_tags(read(context, WRITERS[suffix](tmp_path / f"a{suffix}", [row]))) == {
        "": Decimal("1.25")
    }


@pytest.mark.parametrize("labels", ["x", {"team": "shop"}, [1, 2], [{"team": "shop"}], [None], None])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_money_is_not_set_aside_because_its_labels_are_no_list_of_pairs(
    context: RefreshContext, tmp_path: Path, suffix: str, labels: object
) -> None:
    batch = read(context, WRITERS[suffix](tmp_path / f"a{suffix}", [export_row(labels=labels)]))
    assert batch.rejected == ()
    assert usd_by_tags(batch) == {"": Decimal("1.25")}


def test_a_parquet_file_whose_labels_are_of_another_type_is_read_without_them(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        f"""COPY (SELECT 1.5 AS cost, {{'id': 'shop'}} AS project, now() AS usage_start_time,
              now() AS export_time, 'USD' AS currency,
              MAP {{'team': 'shop'}} AS labels, ['prod'] AS tags) TO '{path}'"""
    )
    now = datetime.now(UTC)
    assert usd_by_tags(read(replace(context, latest_plausible=now + timedelta(days=1)), path)) == {"": 1.5}


@pytest.mark.slow
def test_a_file_is_read_again_when_other_tags_are_to_be_kept_and_only_then(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = WRITERS[".jsonl"](tmp_path / "a.jsonl", [export_row()])
    cursors = {kept: read(context, path, kept).cursor for kept in ((), ("label:team",), KEPT, KEPT[::-1])}
    assert len(set(cursors.values())) == 3
    assert cursors[KEPT] == cursors[KEPT[::-1]]
    assert "tags" not in cursors[()]
    for kept, cursor in cursors.items():
        known = replace(context, known={str(path): cursor})
        assert list(FilesSource([str(path)], kept_tags=kept).refresh(known)) == []


numbers = count()
rows_with_tags = st.lists(
    st.tuples(
        st.decimals(-1000, 1000, places=6),
        st.lists(st.decimals(-10, 0, places=6), max_size=2),
        st.dictionaries(st.sampled_from(["team", "cost center", "x"]), st.text(max_size=3), max_size=2),
        st.dictionaries(st.sampled_from(["env", "team"]), st.sampled_from(["a", ""]), max_size=2),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_with_tags, suffix=st.sampled_from([".jsonl", ".csv"]))
def test_the_sum_over_tags_is_the_sum_without_tags(
    context: RefreshContext, tmp_path: Path, rows: list[Any], suffix: str
) -> None:
    path = WRITERS[suffix](
        tmp_path / f"{next(numbers)}{suffix}",
        [
            export_row(
                cost=str(cost),
                credits=[{"amount": str(credit)} for credit in credits],
                labels=pairs(**labels),
                tags=pairs(**tags),
            )
            for cost, credits, labels, tags in rows
        ],
    )
    found = usd_by_tags(read(context, path))
    assert sum(found.values()) == sum(usd_by_tags(read(context, path, ())).values())
    wanted: dict[str, Decimal] = {}
    for cost, credits, labels, tags in rows:
        kept = {f"label:{key}": value for key, value in labels.items() if key != "x"}
        kept |= {"tag:env": tags["env"]} if "env" in tags else {}
        text = tags_text(kept)
        wanted[text] = wanted.get(text, Decimal(0)) + cost + sum(credits)
    assert {tags_text(tags_of(text)): usd for text, usd in found.items()} == wanted


@pytest.mark.parametrize("name", ["team", "label:", "resource:x", ":x", ""])
def test_a_name_that_does_not_say_where_the_key_is_from_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="write label:team or tag:env"):
        kept_tags([name])


def test_a_key_is_of_a_label_unless_it_says_otherwise() -> None:
    names = ["team", "tag:env", "resource:name", "resource:x"]
    assert [kept_name(name) for name in names] == [
        "label:team",
        "tag:env",
        "resource:name",
        "label:resource:x",
    ]


def test_nothing_kept_leaves_no_mark_and_the_order_of_names_none_either() -> None:
    assert kept_tags(["tag:b", "label:a:c", "tag:b"]) == (KeptTag("label", "a:c"), KeptTag("tag", "b"))
    assert cursor_mark(()) == ""
    assert cursor_mark(kept_tags(["tag:b", "label:a"])) == cursor_mark(kept_tags(["label:a", "tag:b"]))
    assert cursor_mark(kept_tags(["tag:a"])) != cursor_mark(kept_tags(["label:a"]))


COLUMNS = frozenset({"cost", "labels.key", "labels.value", "project.labels.value", "tags.key", "tags.value"})


def query(columns: frozenset[str], *names: str) -> str:
    table = ExportTable("pay.billing.export", "EU", columns, VIRTUAL_DAYS, "")
    return charges_query(table, [datetime(2026, 11, 10, tzinfo=UTC)], NOW, kept_tags(names))


def test_the_query_groups_by_the_value_of_each_kept_tag() -> None:
    sql = query(COLUMNS, "tag:env", "label:team")
    assert (
        "COALESCE((SELECT MIN(pair.value) FROM UNNEST(labels) AS pair WHERE pair.key = 'team'), (SELECT "
        "MIN(pair.value) FROM UNNEST(project.labels) AS pair WHERE pair.key = 'team')) AS tag_0,"
    ) in sql
    assert (
        "COALESCE((SELECT MIN(pair.value) FROM UNNEST(tags) AS pair WHERE pair.key = 'env')) AS tag_1," in sql
    )
    grouped = sql[sql.index("\nSELECT\n  partition_start") :].splitlines()
    assert "  IF(reason IS NULL, tag_1, NULL) AS tag_1," in grouped
    last = grouped.index("  IF(reason IS NULL, tag_1, NULL) AS tag_1,") - 1
    assert f"GROUP BY {', '.join(map(str, range(1, last + 1)))}" in grouped


def test_a_key_cannot_end_its_quotes_in_the_query() -> None:
    assert r"pair.key = 'it\'s \\ \" 🦊\n'" in query(COLUMNS, "tag:it's \\ \" 🦊\n")


def test_a_table_without_the_columns_is_not_queried_for_them() -> None:
    sql = query(frozenset({"cost"}), "label:team", "tag:env")
    assert "UNNEST(labels)" not in sql
    assert sql.count("CAST(NULL AS STRING) AS tag_") == 2


def test_the_name_of_a_resource_is_asked_for_only_where_the_table_has_it() -> None:
    assert "NULLIF(resource.name, '') AS tag_0," in query(COLUMNS | {"resource.name"}, RESOURCE_NAME)
    assert "CAST(NULL AS STRING) AS tag_0," in query(COLUMNS, RESOURCE_NAME)


def test_without_kept_tags_the_query_is_as_it_was() -> None:
    assert "tag_" not in query(COLUMNS)
    assert "pair" not in query(COLUMNS)


def test_result_rows_become_charges_with_their_tags() -> None:
    kept = kept_tags(["label:team", "tag:env"])
    group = {
        **dict.fromkeys(("billing_account_id", "project_id", "service_id", "service_name", "sku_id"), "x"),
        **dict.fromkeys(("sku", "region_id", "invoice_month", "consumed_unit"), ""),
        **{"part": "cost", "reason": None, "billing_currency": "USD", "charge_category": "usage"},
        **{"charge_period_start": NOW, "export_hour": NOW, "exported_at": NOW, "conversion_rate": 1.0},
        **{
            "billed_cost": Decimal(1),
            "consumed_quantity": 0.0,
            "export_rows": 1,
            "example": None,
            "corrects": None,
            "list_cost": None,
        },
    }
    taken = PartitionCharges("table/partition", kept)
    groups = [{**group, "tag_0": "a", "tag_1": None}, {**group, "tag_0": None, "tag_1": None}]
    assert [charge.tags for charge in taken.take(groups)] == ['{"label:team":"a"}', ""]
    assert taken.cursor.endswith(cursor_mark(kept))
    assert "tags" not in PartitionCharges("table/partition").cursor


@pytest.fixture
def export() -> Iterator[tuple[FakeExport, str]]:
    export = FakeExport()
    tables = {"pay.billing.export": dict(DAILY_TABLE)}
    with FakeBigQuery(export, tables=tables, locations={"pay.billing": "EU"}) as server:
        yield export, server.address


def test_partitions_in_bigquery_are_read_again_when_other_tags_are_to_be_kept(
    context: RefreshContext, export: tuple[FakeExport, str]
) -> None:
    day = NOW.replace(hour=0)
    export[0].add_day(day)
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    source = BigQuerySource(table="pay.billing.export", credentials=credentials, endpoint=export[1])
    (batch,) = source.refresh(context)
    assert isinstance(batch, Batch)
    known = replace(context, known={batch.partition: batch.cursor})
    assert list(source.refresh(known)) == []
    tagged = BigQuerySource(
        table=source.table, credentials=credentials, endpoint=export[1], kept_tags=("label:team",)
    )
    (again,) = tagged.refresh(known)
    assert isinstance(again, Batch)
    assert again.cursor != batch.cursor
    known = replace(context, known={again.partition: again.cursor})
    assert list(tagged.refresh(known)) == []
