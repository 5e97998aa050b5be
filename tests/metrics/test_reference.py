"""The metric reference says what the declarations say."""

import json

from exporter.metrics.families import Family, all_families
from exporter.metrics.reference import as_json, as_markdown, as_text
from tests.support import places

PAGE = places.DOCS / "metrics.md"
PLAIN = Family("spend_rows_total", "counter", (), "Rows with a | in them.")
LABELLED = Family("spend_cost_usd", "gauge", ("provider", "sku"), "What it costs. " * 20, "usd")


def test_the_page_in_the_docs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown(all_families()), (
        "run: spend-exporter metrics --format markdown > docs/metrics.md"
    )


def test_every_metric_that_the_introduction_names_exists() -> None:
    introduction = as_markdown([]).split("## Reference")[0]
    names = {family.name for family in all_families()}
    used = {word.split("{")[0].strip("`()[];,:.") for word in introduction.replace("(", " ").split()}
    mentioned = {word.split("[")[0] for word in used if word.startswith("spend_")}
    assert len(mentioned) >= 8
    assert mentioned <= names


def test_json_carries_every_field_and_keeps_the_order() -> None:
    assert json.loads(as_json([PLAIN, LABELLED])) == [
        {
            "name": "spend_rows_total",
            "type": "counter",
            "unit": "",
            "labels": [],
            "help": "Rows with a | in them.",
        },
        {
            "name": "spend_cost_usd",
            "type": "gauge",
            "unit": "usd",
            "labels": ["provider", "sku"],
            "help": "What it costs. " * 20,
        },
    ]


def test_a_table_cell_keeps_its_bar_and_its_row() -> None:
    last_row = as_markdown([LABELLED, PLAIN]).splitlines()[-1]
    assert last_row == r"| `spend_rows_total` | counter |  |  | Rows with a \| in them. |"


def test_text_fits_a_terminal_and_names_type_unit_and_labels() -> None:
    text = as_text([LABELLED, PLAIN])
    assert max(map(len, text.splitlines())) <= 100
    first, second = text.split("\n\n")
    assert first.splitlines()[0] == "spend_cost_usd (gauge, usd)"
    assert first.splitlines()[-1].strip() == "labels: provider, sku"
    assert second.splitlines() == [
        "spend_rows_total (counter)",
        "    Rows with a | in them.",
        "    labels: none",
    ]
