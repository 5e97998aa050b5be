"""Asks every query of every panel for the ranges that people choose, for each provider alone and for all.

A real Prometheus has the demo's history as `backfill` writes it, and an hour of scrapes: an exporter of the
first day.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.commands.demo import BUDGETS, CATEGORIES, DAILY_LIMIT_USD
from exporter.cli.main import main
from exporter.config.model import parse
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from exporter.simulator.llm.admin_apis import ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY, LlmAdminApis, serving_llm
from exporter.simulator.llm.usage import LlmUsage
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from exporter.wiring.sources import configured_sources, figure_settings
from grafana.source.jobs import HISTORY
from tests.grafana.asking import AskingError, Prometheus, Series, Span, ask, chosen, variables
from tests.grafana.board_files import boards, panels
from tests.integration.test_prometheus_history import storage

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed"),
]

BOARDS = boards()
NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
PAST = timedelta(days=32)
"""So that each of the ranges has rows."""
JOB = "spend-exporter"
PROVIDERS = ("gcp", "openai", "anthropic")

RANGES = {
    "the last 30 days": Span((NOW - timedelta(days=30)).timestamp(), NOW.timestamp(), 1000),
    "this month": Span(
        datetime(2026, 11, 1, tzinfo=UTC).timestamp(), datetime(2026, 12, 1, tzinfo=UTC).timestamp() - 1, 1000
    ),
    "last month": Span(
        datetime(2026, 10, 1, tzinfo=UTC).timestamp(), datetime(2026, 11, 1, tzinfo=UTC).timestamp() - 1, 1000
    ),
}

LIVE = {"spend-cloud-run", "spend-exporter"}
"""Boards without history: their queries are asked here, and test_dashboards_query has rows for them."""

ANY = ("", *PROVIDERS)
NO_LIVE_USAGE = "this exporter reads bills alone"
NO_GOOGLE_TOKENS = "tokens of Google's models come from live usage"
NO_PROXY = "the demo has no LiteLLM proxy"
STANDING = "counters stand still in these scrapes"
EMPTY: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("spend-gcp", "Idle VMs"): (ANY, NO_LIVE_USAGE),
    ("spend-gcp", "Resources per hour"): (ANY, NO_LIVE_USAGE),
    ("spend-llm", "Cache hits"): (ANY, STANDING),
    ("spend-llm", "Cache share by model"): (ANY, STANDING),
    ("spend-llm", "Token cost"): (ANY, STANDING),
    ("spend-llm", "List price, USD"): (("gcp",), NO_GOOGLE_TOKENS),
    ("spend-llm", "Tokens by type"): (("gcp",), NO_GOOGLE_TOKENS),
    ("spend-llm", "Unit cost by model"): (("gcp",), NO_GOOGLE_TOKENS),
    ("spend-llm", "Usage cost by model"): (("gcp",), NO_GOOGLE_TOKENS),
    ("spend-llm", "Today, USD"): (("gcp",), "the bill of today has no charge of a model yet"),
    ("spend-llm", "Unpriced"): (ANY, "every model of the demo has a price"),
    ("spend-llm", "Proxy cost by key"): (ANY, NO_PROXY),
    ("spend-llm", "Proxy coverage"): (ANY, NO_PROXY),
    ("spend-overview", "Estimate error"): (ANY, "no estimate of an exporter's first day is judged yet"),
    ("spend-overview", "Firing alerts"): (ANY, "this Prometheus has no rules"),
    ("spend-overview", "Savings, USD"): (("openai", "anthropic"), "advice is about Google Cloud"),
}
"""What may be empty in a range that ends now, for which choice of the provider, and why.

Panels that draw history are never empty; the others have rows only where the range ends now."""


def history(folder: Path, data: Path) -> str:
    """Let an exporter read the company's bills, backfill its days, and return what it exposes."""
    (folder / "export").mkdir()
    (folder / "spool").mkdir()
    write_export(World.ending_at(NOW, seed=1, past=PAST), folder / "export", NOW)
    models = LlmUsage.ending_at(NOW, seed=1, past=PAST)
    document: dict[str, Any] = {
        "ledger": str(folder / "spend.duckdb"),
        "gcp": {
            "billing_export": {"files": [f"{folder}/export/*.parquet"]},
            "budget_alerts": {"daily_limit_usd": DAILY_LIMIT_USD},
        },
        "cost_attribution": CATEGORIES,
        "budgets": BUDGETS,
        "label_costs": ["team"],
        "history": {"job": JOB},
    }
    config = parse(json.dumps(document), folder)
    with (
        serving_llm(LlmAdminApis(models, lambda: NOW)) as address,
        closing(Ledger(folder / "spend.duckdb")) as ledger,
    ):
        sources = [
            *configured_sources(config, {}),
            OpenAISource(lambda: OPENAI_ADMIN_KEY, base_url=address),
            AnthropicSource(lambda: ANTHROPIC_ADMIN_KEY, base_url=address),
        ]
        refresher = Refresher(
            sources,
            ledger,
            folder / "spool",
            interval=timedelta(minutes=15),
            keep=timedelta(days=400),
            max_series=10_000,
            settings=figure_settings(config),
            clock=lambda: NOW,
        )
        exposed = refresher.refresh_all().exposition.text.decode()
    document["llm"] = {name: {"admin_key_env": "SPEND_TEST_KEY"} for name in ("openai", "anthropic")}
    (folder / "spend.yml").write_text(json.dumps(document), encoding="utf-8")
    days = ["--from", (NOW - PAST).date().isoformat(), "--to", NOW.date().isoformat()]
    into = ["--out", str(folder / "out"), "--create-blocks", str(data), "--retention", "50y"]
    assert main(["backfill", "--config", str(folder / "spend.yml"), *days, *into]) == 0
    return exposed


def scrapes(exposed: str) -> Iterator[str]:
    """An hour of scrapes that find the same each time."""
    found = re.findall(r"^(spend_\w+)(?:\{(.*)\})? (\S+)$", exposed, flags=re.MULTILINE)
    assert len(found) > 1000
    for name, labels, value in found:
        for second in range(int(NOW.timestamp()) - 3600, int(NOW.timestamp()) + 1, 240):
            own = f'job="{JOB}"' + (f",{labels}" if labels else "")
            yield f"{name}{{{own}}} {value} {second}\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("ranges")
    data = folder / "tsdb"
    data.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPEND_TEST_KEY", "sk-test")
        exposed = history(folder, data)
    (folder / "scraped").write_text(f"{''.join(scrapes(exposed))}# EOF\n", encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"]
    subprocess.run([*command, "scraped", "tsdb"], cwd=folder, check=True, capture_output=True)
    with storage(data) as url:
        yield Prometheus(url)


@dataclass(frozen=True)
class Asked:
    """What a panel was asked for, and its answer."""

    uid: str
    title: str
    provider: str
    has_history: bool
    rows: list[Series] | str
    """A text where the query was refused."""


def every_panel(prometheus: Prometheus, span: Span) -> list[Asked]:
    """The panels of all boards; those with a choice of the provider are asked for each and for all."""
    # Only what was scraped within the range has values: so they are those of the newest.
    known = RANGES["the last 30 days"]
    asking = []
    for uid, board in BOARDS.items():
        values = chosen(board, variables(board, prometheus, known))
        providers = ("", *PROVIDERS) if "provider" in values else ("",)
        for provider in providers:
            selected = {**values, "provider": provider} if provider else values
            asking += [(uid, panel, provider, selected) for panel in panels(board)]

    def answer(each: tuple[str, Mapping[str, Any], str, Mapping[str, str]]) -> Asked:
        uid, panel, provider, selected = each
        drawn = any(HISTORY.search(target["expr"]) for target in panel["targets"])
        try:
            rows: list[Series] | str = ask(panel, selected, prometheus, span)
        except AskingError as error:
            rows = str(error)
        return Asked(uid, panel["title"], provider, drawn, rows)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(answer, asking))


@pytest.mark.parametrize("chosen_range", RANGES)
def test_every_panel_of_history_has_rows_for_each_provider_and_no_query_is_refused(
    prometheus: Prometheus, chosen_range: str
) -> None:
    found = every_panel(prometheus, RANGES[chosen_range])
    assert [each for each in found if isinstance(each.rows, str)] == []
    assert {(each.uid, each.title) for each in found if each.has_history and not each.rows} == set()
    assert len({(each.uid, each.title) for each in found if each.has_history}) > 15
    if RANGES[chosen_range].end == NOW.timestamp():
        empty = {
            (each.uid, each.title, each.provider) for each in found if not each.rows and each.uid not in LIVE
        }
        allowed = {(*panel, provider) for panel, (providers, _) in EMPTY.items() for provider in providers}
        assert empty <= allowed


def test_everything_that_may_be_empty_is_an_existing_panel_without_history() -> None:
    without = {
        (uid, panel["title"])
        for uid, board in BOARDS.items()
        for panel in panels(board)
        if not any(HISTORY.search(target["expr"]) for target in panel["targets"])
    }
    assert EMPTY.keys() <= without
