import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.bill.windows import billing_windows
from exporter.metrics.snapshot import Snapshot
from exporter.sources.base import Rejected
from exporter.sources.status import SourceStatus
from exporter.web.landing_page import content_security_policy, landing_page
from tests.support.served import BUILT_AT, snapshot

PACIFIC = "America/Los_Angeles"
NOW = BUILT_AT + timedelta(seconds=12)
FAILING = SourceStatus(
    "bigquery",
    False,
    NOW - timedelta(hours=5),
    "no access; grant roles/bigquery.dataViewer",
    88210,
    (Rejected("bad_json", 3, "a.jsonl:12", "not JSON"), Rejected("bad_cost", 1, "b.parquet", "NaN")),
)


class Page(HTMLParser):
    """Text, tags and style of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(source)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.words.append(data.strip())


def page(shown: Snapshot, now: datetime = NOW) -> Page:
    return Page(landing_page(shown, now, "1.2.3"))


def test_totals_are_in_dollars_and_cents_and_unknown_ones_say_so() -> None:
    totals = (
        ("Today, billed so far", Decimal("1234.567")),
        ("Yesterday", Decimal("12434.56")),
        ("Month to date", Decimal("-3.5")),
        ("Zero", Decimal("-0.001")),
        ("Last month", None),
    )
    text = page(snapshot(totals=totals)).text
    assert "Today, billed so far $1,234.57 Yesterday $12,434.56 Month to date −$3.50" in text  # noqa: RUF001
    assert "Zero $0.00 Last month not known yet" in text


def test_what_the_bill_does_not_cover_is_marked_and_the_reason_is_said_once() -> None:
    totals = (
        ("Yesterday", Decimal(1700)),
        ("Month to date", Decimal("9448.00")),
        ("Last month", None),
    )
    windows = billing_windows(NOW, PACIFIC)
    begins = datetime(2026, 11, 21, 8, tzinfo=UTC)
    partial = BillCoverage({("gcp", "A<b>"): begins}, {"gcp": windows}, {"gcp": PACIFIC})
    text = page(replace(snapshot(totals=totals), coverage=partial)).text
    assert (
        "Yesterday $1,700.00 Month to date $9,448.00 partial: complete from 21 November 2026 on "
        "Last month before the bill begins "
        "The bill of gcp A<b> begins on 21 November 2026; costs before are not known. Sources" in text
    )
    whole = replace(partial, begins={("gcp", "A<b>"): windows["last_month"][0]})
    text = page(replace(snapshot(totals=totals), coverage=whole)).text
    assert "Month to date $9,448.00 Last month not known yet Sources" in text


def test_of_many_bills_that_begin_late_the_first_few_are_named() -> None:
    begins = {("gcp", f"{number:02d}"): datetime(2026, 11, 21, 8, tzinfo=UTC) for number in range(12)}
    partial = BillCoverage(begins, {"gcp": billing_windows(NOW, PACIFIC)}, {"gcp": PACIFIC})
    text = page(replace(snapshot(), coverage=partial)).text
    assert "gcp 04 begins" in text
    assert "gcp 05 begins" not in text
    assert "7 more bills begin after a period above does." in text


def test_a_source_shows_state_age_rows_what_was_set_aside_and_its_error() -> None:
    text = page(snapshot(sources=(FAILING,))).text
    assert "bigquery ▲ failing 5 h ago 88,210 4 no access; grant roles/bigquery.dataViewer" in text
    assert "3 × bad_json in a.jsonl:12: not JSON" in text  # noqa: RUF001


def test_a_source_that_has_not_been_refreshed_is_waiting() -> None:
    assert (
        "focus ○ waiting never 0 0"
        in page(snapshot(sources=(SourceStatus("focus", None, None, "", 0, ()),))).text
    )


def test_a_source_that_works_is_up() -> None:
    source = SourceStatus("files", True, NOW - timedelta(minutes=4), "", 1234567, ())
    assert "files ● up 4 min ago 1,234,567 0" in page(snapshot(sources=(source,))).text


def test_before_there_is_data_it_says_that_it_is_starting() -> None:
    assert "Starting: no data has been read yet." in page(snapshot(ready=False)).text
    assert "Starting" not in page(snapshot()).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-300, "just now"),
        (0.4, "just now"),
        (1, "1 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 d ago"),
    ],
)
def test_ages_are_reported_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert f"As of {words} ." in page(snapshot(), BUILT_AT + timedelta(seconds=seconds)).text


def test_text_from_outside_stays_text() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    source = SourceStatus(evil, False, None, evil, 0, (Rejected(evil, 1, evil, evil),))
    shown = Page(landing_page(snapshot(sources=(source,), totals=((evil, None),)), NOW, evil))
    assert "script" not in shown.tags
    assert "img" not in shown.tags
    assert shown.text.count(evil) == 7


def test_it_loads_nothing_and_its_links_work_behind_a_path_prefix() -> None:
    shown = page(snapshot(sources=(FAILING,)))
    assert shown.links == ["data:,", "metrics", "api/v1/summary", "readyz", "healthz"]
    assert "url(" not in shown.style


def test_the_policy_allows_exactly_the_style_of_the_page() -> None:
    digest = base64.b64encode(hashlib.sha256(page(snapshot()).style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security_policy()


def test_times_are_there_in_full_for_who_points_at_them() -> None:
    assert 'title="2026-11-23 08:00:00+00:00"' in landing_page(snapshot(), NOW, "1.2.3")
