"""First reads: nothing adds up over partitions or sources before each has been read once, or has failed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.core.errors import SourceError
from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from exporter.metrics.summary import summary
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext, Source
from exporter.sources.files.source import FilesSource
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.spool import write_spool_csv
from exporter.web.server import Server
from tests.fakes.llm_admin import COSTS, OPENAI_KEY, FakeAdminApi
from tests.fakes.web_api import Asked, Reply, WebApi
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import Samples, by, samples, until
from tests.support.llm_sources import quick
from tests.support.served import request

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
NEVER = (sys.executable, "-c", "import signal; signal.pause()")

SETTINGS = FigureSettings(
    attribution=Attribution((Rule("all", Match(), "cost_attribution.all"),)),
    budgets=BudgetRules((Budget("everything", "month", Decimal(100)),)),
)


@dataclass(eq=False)
class Bill(TestedSource):
    """Yields a dollar for each partition, and waits for the test before each one but the first."""

    name: str = "files"
    provider: str = "gcp"
    partitions: int = 1
    billing_timezone: str = "America/Los_Angeles"
    fails_after: int | None = None
    """Fail instead of reading so many partitions, until it is set to None."""
    go_on: threading.Event = field(default_factory=threading.Event)
    read: int = 0

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        for number in range(self.partitions):
            if number == self.fails_after:
                raise SourceError("quota", "ask for more quota")
            if number:
                self.read = number
                self.go_on.wait(60)
            spool = context.spool / f"{self.name}-{number}.csv"
            rows = [
                charge("1", provider=self.provider, sku_id=str(number), charge_period_start=NOW - 9 * HOUR)
            ]
            yield Batch(str(number), "cursor", write_spool_csv(spool, rows), 1)


def at_once_in_the_builder(event: threading.Event, seconds: float) -> bool:
    return event.wait(0.01 if threading.current_thread().name == "snapshot-builder" else seconds)


Make = Callable[..., Refresher]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


@pytest.fixture
def make(tmp_path: Path, ledger: Ledger) -> Iterator[Make]:
    made: list[tuple[Refresher, tuple[Source, ...]]] = []

    def refresher(*sources: Source, clock: Callable[[], datetime] = lambda: NOW) -> Refresher:
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        running = Refresher(
            sources,
            ledger,
            spool,
            interval=timedelta(minutes=15),
            keep=timedelta(days=400),
            max_series=1000,
            settings=SETTINGS,
            estimator=Estimator(ledger, sources, spool, command=NEVER),
            clock=clock,
            wait=at_once_in_the_builder,
        )
        made.append((running, sources))
        return running

    yield refresher
    for each, sources in made:
        for source in sources:
            if isinstance(source, Bill):
                source.go_on.set()
        assert each.stop(30)


def shown(refresher: Refresher) -> Samples:
    return samples(refresher.snapshot.text)


def month(refresher: Refresher) -> dict[tuple[str, ...], float]:
    return by(shown(refresher)["spend_month_to_date_usd"], "provider")


def of_sources(refresher: Refresher, metric: str = "spend_source_read_whole") -> dict[str, float]:
    return {dict(labels)["source"]: value for labels, value in shown(refresher)[metric].items()}


def total(refresher: Refresher) -> Decimal | None:
    return dict(refresher.snapshot.totals)["Month to date"]


def stored(ledger: Ledger, source: str) -> int:
    return len(ledger.cursors(source))


@pytest.mark.slow
def test_a_source_of_several_partitions_is_shown_when_the_last_one_has_been_read(
    make: Make, ledger: Ledger
) -> None:
    bill = Bill("bigquery", "gcp", partitions=3)
    refresher = make(bill)
    refresher.start()
    until(lambda: stored(ledger, "bigquery") == 1 and bill.read == 1, "the first partition")
    refresher.rebuild(estimated=())
    assert month(refresher) == {}
    assert total(refresher) is None
    assert of_sources(refresher) == {"bigquery": 0.0}
    assert not refresher.snapshot.ready
    bill.go_on.set()
    until(lambda: month(refresher) == {("gcp",): 3.0}, "all partitions at once")
    assert of_sources(refresher) == {"bigquery": 1.0}
    assert refresher.snapshot.ready


@pytest.mark.slow
def test_each_sources_own_figures_are_shown_at_once_and_sums_when_no_source_is_awaited(
    make: Make, ledger: Ledger
) -> None:
    slow = Bill("bigquery", "gcp", partitions=2)
    refresher = make(slow, Bill("openai", "openai"))
    refresher.start()
    until(lambda: slow.read == 1 and month(refresher) == {("openai",): 1.0}, "the quick source")
    assert refresher.snapshot.ready
    assert total(refresher) is None
    found = shown(refresher)
    assert found["spend_category_month_to_date_usd"] == {}
    assert found["spend_budget_billed_usd"] == {}
    assert by(found["spend_budget_limit_usd"]) == {(): 100.0}
    told = summary(refresher.snapshot, NOW)
    assert told["month"]["to_date_billed_usd"] is None
    assert told["budgets"][0]["used_usd"] is None
    assert {each["name"]: each["read_whole"] for each in told["sources"]} == {
        "bigquery": False,
        "openai": True,
    }
    slow.go_on.set()
    until(lambda: total(refresher) == 3, "the sum")
    assert by(shown(refresher)["spend_category_month_to_date_usd"]) == {(): 3.0}


@pytest.mark.slow
def test_a_source_that_fails_its_first_read_is_missing_and_the_others_are_added_up(make: Make) -> None:
    failing = Bill("bigquery", "gcp", partitions=3, fails_after=1)
    refresher = make(failing, Bill("openai", "openai"))
    refresher.refresh_all()
    assert month(refresher) == {("openai",): 1.0}
    assert total(refresher) == 1
    assert by(shown(refresher)["spend_category_month_to_date_usd"]) == {(): 1.0}
    assert of_sources(refresher) == {"bigquery": 0.0, "openai": 1.0}
    assert of_sources(refresher, "spend_source_up") == {"bigquery": 0.0, "openai": 1.0}
    assert refresher.snapshot.ready
    failing.fails_after = None
    failing.go_on.set()
    refresher.refresh_all()
    assert month(refresher) == {("gcp",): 3.0, ("openai",): 1.0}
    failing.fails_after = 0
    refresher.refresh_all()
    assert total(refresher) == 4, "its last good figures stay"
    assert of_sources(refresher)["bigquery"] == 1.0


@pytest.mark.slow
def test_of_a_first_read_that_was_killed_nothing_is_shown_until_a_later_process_has_ended_it(
    make: Make, ledger: Ledger
) -> None:
    killed = Bill("bigquery", "gcp", partitions=2, fails_after=1)
    make(killed, Bill("openai", "openai")).refresh_all()
    assert stored(ledger, "bigquery") == 1
    again = Bill("bigquery", "gcp", partitions=2)
    refresher = make(again, Bill("openai", "openai"))
    refresher.rebuild(estimated=())
    assert month(refresher) == {("openai",): 1.0}
    assert of_sources(refresher) == {"bigquery": 0.0, "openai": 1.0}
    again.go_on.set()
    refresher.refresh_all()
    assert month(refresher) == {("gcp",): 2.0, ("openai",): 1.0}
    assert FirstReads(ledger).whole() == {"bigquery", "openai"}


@pytest.mark.slow
def test_what_an_earlier_process_has_read_is_shown_and_added_up_from_the_start(make: Make) -> None:
    make(Bill("bigquery", "gcp"), Bill("openai", "openai")).refresh_all()
    slow = Bill("bigquery", "gcp", partitions=2)
    refresher = make(slow, Bill("openai", "openai", fails_after=0))
    refresher.start()
    assert refresher.snapshot.ready
    assert month(refresher) == {("gcp",): 1.0, ("openai",): 1.0}
    assert total(refresher) == 2
    until(lambda: slow.read == 1, "a second partition under way")
    assert total(refresher) == 2


def test_a_ledger_of_a_version_without_marks_is_whole(ledger: Ledger, tmp_path: Path) -> None:
    ledger.put("files", "a", "cursor", write_spool_csv(tmp_path / "a.csv", [charge("1")]), 1)
    assert FirstReads(ledger).whole() == {"files"}


@pytest.mark.slow
def test_while_estimates_are_awaited_nothing_is_shown_that_has_an_estimated_part(make: Make) -> None:
    """Otherwise budgets and the month would jump when the first estimate comes."""
    refresher = make(Bill("files", "gcp"))
    refresher.start()
    until(lambda: month(refresher) == {("gcp",): 1.0}, "the bill")
    found = shown(refresher)
    for absent in ("spend_budget_used_usd", "spend_budget_forecast_usd", "spend_nowcast_month_to_date_usd"):
        assert found[absent] == {}, absent
    refresher.refresh_all()
    assert by(shown(refresher)["spend_budget_used_usd"]) == {(): 1.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "later",
    [
        timedelta(hours=13),
        timedelta(days=11),
        timedelta(days=400),
        timedelta(days=-3),
    ],
    ids=["midnight", "the month's end", "far ahead", "back"],
)
def test_the_bill_follows_the_clock_while_an_estimation_hangs(make: Make, later: timedelta) -> None:
    moment = NOW
    refresher = make(Bill("files", "gcp"), clock=lambda: moment)
    refresher.start()
    until(lambda: month(refresher) == {("gcp",): 1.0}, "the bill")
    until(lambda: _estimating(refresher), "an estimation that hangs")
    moment = NOW + later
    until(lambda: refresher.snapshot.built_at == moment, "a snapshot of then")
    assert _estimating(refresher)
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 1.0}


def _estimating(refresher: Refresher) -> bool:
    return refresher._estimator._process is not None


def served_months(server: Server) -> Mapping[tuple[str, ...], float]:
    found = samples(request(server, "/metrics").body)
    return by(found["spend_month_to_date_usd"], "provider")


@pytest.mark.slow
def test_a_scraper_never_reads_a_part_of_a_bill_whatever_the_other_sources_do(
    make: Make, tmp_path: Path, ledger: Ledger
) -> None:
    """A bill of several files, an API that answers when the test lets it, and a folder without files."""
    export = tmp_path / "export"
    export.mkdir()
    for number in range(8):
        when = NOW - (30 - number) * HOUR
        rows = [export_row(usage_start_time=export_time(when), export_time=export_time(when + 3 * HOUR))]
        write_json_lines(export / f"{number}.jsonl", rows)
    openai, answers = FakeAdminApi(openai=True), threading.Event()
    for day in range(5):
        amount = {"value": "2.5", "currency": "usd"}
        start = (NOW - timedelta(days=day)).replace(hour=0)
        openai.add(COSTS, start, project_id="p", line_item="gpt-5, input", amount=amount)

    def answer(asked: Asked) -> Reply:
        answers.wait(60)
        return openai._answer(asked)

    with WebApi(answer) as api:
        files = FilesSource([str(export / "*.jsonl")])
        refresher = make(files, quick(OpenAISource, OPENAI_KEY, api.address, timeout_seconds=60.0))
        with Server(("127.0.0.1", 0), lambda: refresher.snapshot, version="1", now=lambda: NOW) as server:
            waiting = request(server, "/readyz")
            seen: set[tuple[tuple[tuple[str, ...], float], ...]] = set()

            def look() -> Mapping[tuple[str, ...], float]:
                found = served_months(server)
                seen.add(tuple(sorted(found.items())))
                return found

            refresher.start()
            until(lambda: ("gcp",) in look(), "the bill in files")
            ready = request(server, "/readyz")
            told = json.loads(request(server, "/api/v1/summary").body)
            answers.set()
            until(lambda: ("openai",) in look(), "the bill that came later")
            after = json.loads(request(server, "/api/v1/summary").body)
    assert waiting.status == 503
    assert (ready.status, ready.body) == (200, b"ready\nopenai: awaited, its first read has not ended\n")
    assert told["month"]["to_date_billed_usd"] is None
    assert after["month"]["to_date_billed_usd"] == 22.5
    gcp, both = (("gcp",), 10.0), (("openai",), 12.5)
    assert seen - {()} == {(gcp,), (gcp, both)}
