import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.bill.windows import billing_windows
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError
from exporter.metrics.snapshot import Snapshot
from exporter.questions.asking import Questions
from exporter.sources.base import Rejected
from exporter.sources.status import SourceStatus
from exporter.web.page.page import POLICY, LandingPage, Made
from exporter.web.server import Server
from tests.support import page_world
from tests.support.exposed import DEADLINE_SECONDS
from tests.support.page_world import evil_ledger, evil_snapshot
from tests.support.question_world import ZONES, dimensions
from tests.support.served import BUILT_AT, request, snapshot

PACIFIC = "America/Los_Angeles"
NOW = BUILT_AT + timedelta(seconds=12)
GRAFANA = "https://grafana.internal"
FAILING = SourceStatus(
    "bigquery",
    False,
    NOW - timedelta(hours=5),
    "no access; grant roles/bigquery.dataViewer",
    88210,
    (Rejected("bad_json", 3, "a.jsonl:12", "not JSON"), Rejected("bad_cost", 1, "b.parquet", "NaN")),
)


class Page(HTMLParser):
    """Text, tags and links of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(
    shown: Snapshot,
    now: datetime = NOW,
    *,
    version: str = "1.2.3",
    questions: Questions | None = None,
    grafana_url: str | None = None,
) -> Page:
    async def made() -> str:
        landing = LandingPage(version, questions, grafana_url)
        try:
            return (await landing.made(shown, now)).html.decode()
        finally:
            landing.close()

    return Page(asyncio.run(made()))


def test_billed_totals_are_whole_dollars_and_unknown_ones_are_a_dash() -> None:
    totals = (
        ("Today, billed so far", Decimal("1234.567")),
        ("Yesterday", Decimal("12434.56")),
        ("Month to date", Decimal("-3.5")),
        ("Last month", None),
    )
    text = page(snapshot(totals=totals)).text
    assert "Today, billed so far $1,235 An estimate needs" in text
    assert "This month, billed −$3.50 Yesterday $12,435 Last month – " in text  # noqa: RUF001


def test_billed_and_estimated_are_told_apart_and_the_month_end_has_its_band() -> None:
    text = page(evil_snapshot(), page_world.NOW).text
    assert "Today so far $44 Billed $18 Estimated $26 Expected by midnight $108" in text
    assert "Rate now $4.50 an hour" in text
    assert "Month end, forecast $1,001 Low $900 High $1,200 In 8 of 10" in text


def test_what_the_bill_does_not_cover_is_marked_and_the_reason_is_said_once() -> None:
    totals = (("Yesterday", Decimal(1700)), ("Month to date", Decimal("9448.00")), ("Last month", None))
    windows = billing_windows(NOW, PACIFIC)
    begins = datetime(2026, 11, 21, 8, tzinfo=UTC)
    partial = BillCoverage({("gcp", "A<b>"): begins}, {"gcp": windows}, {"gcp": PACIFIC})
    text = page(replace(snapshot(totals=totals), coverage=partial)).text
    assert (
        "This month, billed $9,448 partial: complete from 21 November 2026 on Yesterday $1,700 "
        "Last month partial: complete from 21 November 2026 on before the bill begins" in text
    )
    assert text.count("The bill of gcp A<b> begins on 21 November 2026; costs before are not known.") == 1
    whole = replace(partial, begins={("gcp", "A<b>"): windows["last_month"][0]})
    assert "partial" not in page(replace(snapshot(totals=totals), coverage=whole)).text


def test_of_many_bills_that_begin_late_the_first_few_are_named() -> None:
    begins = {("gcp", f"{number:02d}"): datetime(2026, 11, 21, 8, tzinfo=UTC) for number in range(12)}
    partial = BillCoverage(begins, {"gcp": billing_windows(NOW, PACIFIC)}, {"gcp": PACIFIC})
    text = page(replace(snapshot(), coverage=partial)).text
    assert "Why partial: 12 bills begin after a period above does" in text
    assert "gcp 04 begins" in text
    assert "gcp 05 begins" not in text
    assert "and 7 more" in text


def test_a_source_shows_state_age_rows_what_was_set_aside_and_its_error() -> None:
    text = page(snapshot(sources=(FAILING,))).text
    assert "bigquery ▲ failing 5 h ago 88,210 4 no access; grant roles/bigquery.dataViewer" in text
    assert "3 × bad_json in a.jsonl:12: not JSON" in text  # noqa: RUF001
    assert "warning bigquery its last refresh failed" in text


def test_a_source_that_has_not_been_refreshed_is_waiting() -> None:
    waiting = SourceStatus("focus", None, None, "", 0, ())
    assert "focus ○ waiting never 0 0" in page(snapshot(sources=(waiting,))).text


def test_before_there_is_data_it_says_that_it_is_starting() -> None:
    assert "Starting: no bill has been read yet." in page(snapshot(ready=False)).text
    assert "Starting" not in page(snapshot()).text


def test_budgets_spikes_cloud_run_and_savings_are_there() -> None:
    text = page(evil_snapshot(), page_world.NOW).text
    assert "gcp daily limit today 80% " in text
    assert "$34 of $42 ends at about $98" in text
    assert "$55 in its last known hour, $40 more than usual at this time of day" in text
    assert "quiet" not in text
    assert "$12 250 ms $0.108 1.00" in text
    assert "Savings, $123 a month" in text


@pytest.mark.slow
def test_cost_by_day_is_a_chart_a_table_and_a_sentence_for_each_change(tmp_path: Path) -> None:
    with evil_ledger(tmp_path) as questions:
        shown = page(evil_snapshot(), page_world.NOW, questions=questions)
    assert shown.tags.count("svg") == 2 + 3 + 1
    assert "Tue 10 Nov" in shown.text
    assert "Last 45 billing days" in shown.text
    assert "against" in shown.text.partition("What changed")[2].partition("Services")[0]
    assert "api/v1/explain?day=2026-11-10&compare=week&format=text" in shown.links


@pytest.mark.slow
def test_the_days_of_the_chart_add_up_to_the_bill(tmp_path: Path) -> None:
    with (
        evil_ledger(tmp_path) as questions,
        Server(("127.0.0.1", 0), evil_snapshot, questions=questions, now=lambda: page_world.NOW) as server,
    ):
        asked = json.loads(request(server, "/api/v1/costs?from=now-44d&step=total").body)
        text = Page(request(server, "/").body.decode()).text
    assert f"Last 45 billing days, ${round(Decimal(asked['total'])):,} in all" in text


@pytest.mark.slow
def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    with evil_ledger(tmp_path) as questions:
        shown = page(evil_snapshot(), page_world.NOW, questions=questions, version=page_world.EVIL)
    assert shown.tags.count("script") == 1
    assert "img" not in shown.tags
    assert not {name for name in shown.attributes if name.startswith("on")}
    assert shown.text.count("<script>alert(1)</script>") > 20
    assert "{{ 7*7 }}" in shown.text
    strange = {each for each in shown.source if not each.isprintable()}
    assert strange == {"\n"}


def test_it_loads_only_its_own_style_and_script_and_its_links_work_behind_a_path_prefix() -> None:
    shown = page(snapshot(sources=(FAILING,)), grafana_url=GRAFANA)
    assert [link for link in shown.links if not link.startswith("https://")] == [
        *("data:,", "page.css", "page.js", "metrics", "api/v1/summary", "api/v1/openapi.json"),
        *("readyz", "healthz"),
    ]
    assert GRAFANA in shown.links
    assert "style" not in shown.tags
    assert "style" not in shown.attributes


def test_without_the_address_of_grafana_there_is_no_link_to_it() -> None:
    assert "Grafana" not in page(snapshot()).text


def test_the_policy_allows_nothing_inline_and_the_style_asks_for_nothing() -> None:
    with Server(("127.0.0.1", 0), snapshot) as server:
        answers = {path: request(server, path) for path in ("/", "/page.css", "/page.js")}
    assert [answer.status for answer in answers.values()] == [200, 200, 200]
    assert {answer.headers["Content-Security-Policy"] for answer in answers.values()} == {POLICY}
    assert "unsafe" not in POLICY
    assert answers["/page.css"].headers["Content-Type"] == "text/css; charset=utf-8"
    assert answers["/page.js"].headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert b"url(" not in answers["/page.css"].body


def test_a_page_is_made_once_for_all_who_ask_in_the_same_second() -> None:
    shown = snapshot()

    async def twice() -> tuple[Made, Made, Made]:
        landing = LandingPage("1.2.3", None, None)
        try:
            first, second = [await landing.made(shown, NOW) for _ in range(2)]
            return first, second, await landing.made(snapshot(), NOW)
        finally:
            landing.close()

    first, second, other = asyncio.run(twice())
    assert first is second
    assert first is not other


@pytest.mark.slow
def test_scrapes_and_the_stream_go_on_while_the_page_waits_for_the_ledger() -> None:
    asked, free = threading.Event(), threading.Event()

    @contextmanager
    def slow() -> Iterator[LedgerView]:
        asked.set()
        assert free.wait(DEADLINE_SECONDS)
        raise LedgerError("busy", "another process has it")
        yield

    questions = Questions(slow, dimensions(), ZONES, clock=lambda: page_world.NOW)
    with (
        Server(("127.0.0.1", 0), evil_snapshot, questions=questions, now=lambda: page_world.NOW) as server,
        ThreadPoolExecutor(1) as reader,
    ):
        waiting = reader.submit(request, server, "/")
        assert asked.wait(DEADLINE_SECONDS)
        try:
            assert request(server, "/metrics").status == 200
            assert request(server, "/api/v1/summary").status == 200
            answer = waiting.result(DEADLINE_SECONDS)
        finally:
            free.set()
    assert "The ledger is being asked; the chart appears in a moment." in Page(answer.body.decode()).text


@pytest.mark.parametrize("accepts", ["", "gzip"])
def test_it_is_compressed_for_who_accepts_that(accepts: str) -> None:
    with Server(("127.0.0.1", 0), snapshot) as server:
        answer = request(server, "/", {"Accept-Encoding": accepts})
    assert answer.headers.get("Content-Encoding", "") == accepts
