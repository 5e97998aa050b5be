"""Reports as pages, mails and text: the same figures in each, and nothing of the bill that could act."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from exporter.questions.report_answer import Report
from exporter.reports.rendering import figures_csv, headline, html_mail, html_page, markdown, slack_text
from tests.support.charge_rows import charge
from tests.support.question_world import many_charges
from tests.support.report_world import made

HOSTILE = '<script>alert("x")</script> | [a](http://evil) \x1b[2J <!channel> *b*'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("ledger"), many_charges(3), month="2026-10")


@pytest.fixture
def hostile(tmp_path: Path) -> Report:
    at = datetime(2026, 10, 20, 12, tzinfo=UTC)
    rows = [charge("12", charge_period_start=at, project_id=HOSTILE, service_name=HOSTILE, sku=HOSTILE)]
    return made(tmp_path, rows, month="2026-10")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "br", "line", "rect"):
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("line", "rect"):
            return
        assert self.open.pop() == tag


def tags(html: str) -> _Tags:
    found = _Tags()
    found.feed(html)
    assert found.open == []
    return found


@pytest.mark.parametrize("rendered", [html_page, html_mail])
def test_html_is_well_formed_and_needs_nothing_else(rendered: object, report: Report) -> None:
    found = tags(rendered(report))  # type: ignore[operator]
    assert {each for each in found.addresses if not each.startswith("#")} == set()
    assert not {"script", "img", "link", "iframe", "form"} & found.seen


def test_mails_have_no_styles_that_mail_programs_drop(report: Report) -> None:
    html = html_mail(report)
    assert not {"style", "svg"} & tags(html).seen
    assert "flex" not in html
    assert "var(" not in html


@pytest.mark.slow
@pytest.mark.parametrize("rendered", [html_page, html_mail])
def test_names_of_the_bill_are_text(rendered: object, hostile: Report) -> None:
    html = rendered(hostile)  # type: ignore[operator]
    assert "script" not in tags(html).seen
    assert "&lt;script&gt;" in html


@pytest.mark.slow
def test_names_of_the_bill_have_no_meaning_in_markdown_or_slack(hostile: Report) -> None:
    text = markdown(hostile)
    assert "<script>" not in text.replace("\\<", "")
    assert "](" not in text.replace("\\](", "")
    rows = [line for line in text.splitlines() if line.startswith("| \\<")]
    assert rows
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows + rows[:0])
    slack = slack_text(hostile)
    assert "<" not in slack
    assert "\x1b" not in text + slack


def test_the_same_total_is_everywhere(report: Report) -> None:
    cents = Decimal(report.total or 0).quantize(Decimal("0.01"))
    shown = f"${cents:,}"
    for each in (html_page, html_mail, markdown, slack_text, headline):
        assert shown in each(report)


def test_csv_has_exact_figures_that_add_up(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(figures_csv(report))))
    total = Decimal(rows[0]["usd"])
    assert total == Decimal(report.total or 0)
    for part in ("day", "service", "label.team", "project"):
        amounts = [Decimal(row["usd"] or 0) for row in rows if row["part"] == part]
        assert sum(amounts, Decimal(0)) == total, part
    assert {row["name"] for row in rows if row["part"] == "budget_used"} == {"all", "shops"}


@pytest.mark.slow
def test_what_is_not_final_says_so(report: Report, tmp_path: Path) -> None:
    running = made(tmp_path, many_charges(3), month="2026-11")
    for each in (html_page, html_mail, markdown):
        assert "artial: a bill begins later than the period does" in each(report).replace("\n", " ")
        assert "so far" in each(running)
    assert "so far" in slack_text(running)


def test_a_budget_that_is_exceeded_is_in_the_subject(report: Report) -> None:
    used = report.budgets[0].model_copy(update={"used_ratio": 1.2})
    assert headline(report.model_copy(update={"budgets": [used]})).endswith(f"over budget {used.budget}")
