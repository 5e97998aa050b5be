"""Every source at once over one world: totals are sums of their parts exactly, and no dollar counts twice."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.ledger.charges.store import Ledger
from exporter.metrics.figure_settings import FigureSettings
from exporter.refresh.refresher import Refresher
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from exporter.simulator.llm.admin_apis import ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY, LlmAdminApis, serving_llm
from exporter.simulator.llm.calls import Calls
from exporter.simulator.llm.usage import LlmUsage
from exporter.simulator.llm.usage_log import UsageLog
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.usage_logs.source import UsageLogsSource
from tests.fakes.litellm_proxy import ADMIN_KEY, LiteLLMProxy, Row
from tests.support.exposed import Samples, by, samples
from tests.support.focus_rows import focus_row, write_focus_csv

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 15, 20, tzinfo=UTC)
PAST = timedelta(days=12)
OWNED = frozenset({"gcp", "openai", "anthropic"})

RULES = Attribution(
    [
        Rule("ai", Match(services=("Vertex AI", "OpenAI API")), "cost_attribution.ai"),
        Rule("claude", Match(models=("claude-*",)), "cost_attribution.claude"),
        Rule("research", Match(labels={"team": ("*",)}), "cost_attribution.research"),
    ]
)


class Everything:
    """One exporter over all sources of one company, and what it exposed."""

    exposed: Samples
    ledger: Path


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    folder = tmp_path_factory.mktemp("everything")
    for name in ("export", "llm", "focus", "spool"):
        (folder / name).mkdir()
    world = World.ending_at(NOW, past=PAST, incident_lasts=timedelta(0))
    models = LlmUsage.ending_at(NOW, past=PAST, incident_lasts=timedelta(0))
    write_export(world, folder / "export", NOW)
    UsageLog(Calls(models, world), folder / "llm").write_until(NOW)
    write_focus_csv(
        folder / "focus" / "bills.csv",
        [focus_row(), focus_row(BilledCost="-0.25", ChargeCategory="Credit")]
        # The same dollars as in Google's and OpenAI's own bills.
        + [focus_row(ProviderName=name, BilledCost="999") for name in ("Google Cloud", "OpenAI")],
    )
    rows = [
        Row(f"2026-11-{day}", "hash", model, provider, spend=spend)
        for day in (16, 17, 18, 19)
        for model, provider, spend in (
            ("gpt-4o-2024-08-06", "openai", 20.0),
            ("gemini-2.5-flash", "vertex_ai", 3.0),
            ("mistral-large-2512", "mistral", 1.5),
        )
    ]
    proxy = LiteLLMProxy(rows, {"hash": {"key_alias": "chat", "team_id": "t1"}}, {"t1": "support"})
    found = Everything()
    with serving_llm(LlmAdminApis(models, lambda: NOW)) as address, proxy:
        sources = [
            FilesSource([str(folder / "export" / "*.parquet")], kept_tags=("label:team",)),
            OpenAISource(lambda: OPENAI_ADMIN_KEY, base_url=address),
            AnthropicSource(lambda: ANTHROPIC_ADMIN_KEY, base_url=address),
            FocusSource([str(folder / "focus" / "*.csv")], owned_by_others=OWNED),
            UsageLogsSource([str(folder / "llm" / "*.jsonl")]),
            LiteLLMSource(proxy.url, lambda: ADMIN_KEY),
        ]
        ledger = Ledger(folder / "spend.duckdb")
        refresher = Refresher(
            sources,
            ledger,
            folder / "spool",
            interval=timedelta(hours=1),
            keep=timedelta(days=400),
            max_series=50_000,
            settings=FigureSettings(attribution=RULES, label_costs=("team",)),
            clock=lambda: NOW,
        )
        shown = refresher.refresh_all()
        ledger.close()
    assert {status.name: status.last_error for status in shown.sources if not status.up} == {}
    found.exposed = samples(shown.exposition.text)
    found.ledger = folder / "spend.duckdb"
    return found


def rows_of(everything: Everything, query: str) -> list[tuple[str, float]]:
    with duckdb.connect(str(everything.ledger), read_only=True) as connection:
        return connection.execute(query).fetchall()


def total(exposed: Samples, name: str, **labels: str) -> float:
    return math.fsum(value for each, value in exposed[name].items() if labels.items() <= dict(each).items())


def test_every_source_is_in_one_total_with_its_own_share(everything: Everything) -> None:
    shares = by(everything.exposed["spend_month_to_date_usd"], "provider")
    assert shares.keys() == {("gcp",), ("openai",), ("anthropic",), ("aws",)}
    assert shares["aws",] == pytest.approx(1.0, abs=1e-9)
    in_ledger = rows_of(
        everything,
        """SELECT provider, sum(billed_cost_usd)::DOUBLE FROM charge JOIN series USING (series_id)
           WHERE charge_period_start >= TIMESTAMP '2026-11-01' + CASE provider WHEN 'gcp' THEN INTERVAL 7 HOUR
             ELSE INTERVAL 0 HOUR END GROUP BY provider""",
    )
    assert {(name,): usd for name, usd in in_ledger} == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("window", ["today", "month_to_date"])
def test_the_total_is_the_sum_over_providers_services_and_categories(
    everything: Everything, window: str
) -> None:
    exposed = everything.exposed
    whole = total(exposed, f"spend_{window}_usd")
    for names in (("provider",), ("provider", "service_name"), ("provider", "project_id"), ("sku",)):
        parts = by(exposed[f"spend_{window}_usd"], *names)
        assert math.fsum(parts.values()) == pytest.approx(whole, abs=1e-9)
    categories = by(exposed[f"spend_category_{window}_usd"], "category")
    assert categories.keys() == {("ai",), ("claude",), ("research",), ("unattributed",)}
    assert math.fsum(categories.values()) == pytest.approx(whole, abs=1e-9)
    of_claude = math.fsum(
        value
        for labels, value in exposed[f"spend_llm_{window}_usd"].items()
        if dict(labels)["model"].startswith("claude-")
    )
    assert categories["claude",] == pytest.approx(of_claude, abs=1e-9)


def test_labels_divide_the_same_month(everything: Everything) -> None:
    whole = total(everything.exposed, "spend_month_to_date_usd")
    assert total(everything.exposed, "spend_label_month_to_date_usd") == pytest.approx(whole, abs=1e-9)


def test_billed_and_estimated_sum_to_the_unified_month(everything: Everything) -> None:
    exposed = everything.exposed
    billed = total(exposed, "spend_nowcast_month_to_date_usd", basis="billed")
    # A provider without a bill is in it with a billed part of none.
    assert billed == pytest.approx(total(exposed, "spend_month_to_date_usd"), abs=1e-9)
    estimated = by(
        {
            labels: value
            for labels, value in exposed["spend_nowcast_month_to_date_usd"].items()
            if dict(labels)["basis"] == "estimated"
        },
        "provider",
    )
    assert {("gcp",), ("openai",), ("anthropic",), ("mistral",)} <= estimated.keys()


def test_a_log_stands_in_for_the_bill_of_the_provider_that_nothing_bills_and_of_no_other(
    everything: Everything,
) -> None:
    logged = dict(
        rows_of(
            everything,
            """SELECT provider, sum(amount) FROM usage_hour JOIN usage_series USING (usage_series_id)
               WHERE source = 'usage_logs' AND meter = 'llm_list_usd' AND hour >= '2026-11-01'
               GROUP BY provider""",
        )
    )
    assert logged.keys() == {"mistral", "openai", "gcp"}
    stands_in = total(everything.exposed, "spend_nowcast_month_to_date_usd", provider="mistral")
    assert stands_in == pytest.approx(logged["mistral"], rel=0.02)
    assert not [
        labels
        for labels in everything.exposed["spend_nowcast_month_to_date_usd"]
        if dict(labels)["service_name"] == "LLM API" and dict(labels)["provider"] != "mistral"
    ]


def test_a_vertex_call_in_the_bill_the_proxy_and_the_log_counts_once(everything: Everything) -> None:
    exposed = everything.exposed
    in_bill = rows_of(
        everything,
        """SELECT 'gcp', sum(billed_cost_usd)::DOUBLE FROM charge JOIN series USING (series_id)
           WHERE provider = 'gcp' AND charge_period_start >= '2026-11-01 07:00:00'""",
    )[0][1]
    assert total(exposed, "spend_month_to_date_usd", provider="gcp") == pytest.approx(in_bill, abs=1e-6)
    assert total(exposed, "spend_llm_proxy_usd_total", provider="gcp") == pytest.approx(12.0)
    shown_as_llm = total(exposed, "spend_llm_month_to_date_usd", provider="gcp")
    assert 0 < shown_as_llm < in_bill
    services = by(exposed["spend_month_to_date_usd"], "service_name")
    sold_as_llm = services["Vertex AI",] + services["Gemini API",] + services["Claude Sonnet 4.5",]
    assert 0 < shown_as_llm <= sold_as_llm + 1e-9


def test_tokens_are_those_of_the_provider_and_not_of_the_log_as_well(everything: Everything) -> None:
    told = dict(
        rows_of(
            everything,
            """SELECT source, sum(total) FROM usage_series WHERE provider = 'openai' AND meter = 'llm_tokens'
               GROUP BY source""",
        )
    )
    assert told.keys() == {"openai", "usage_logs"}
    shown = total(everything.exposed, "spend_llm_tokens_total", provider="openai")
    assert shown == pytest.approx(told["openai"])


def test_the_proxys_share_of_each_bill_is_reported(everything: Everything) -> None:
    ratios = by(everything.exposed["spend_llm_capture_ratio"], "provider")
    assert ("openai",) in ratios
    # Days that are settled and that the proxy knows in full: the 17th.
    billed = rows_of(
        everything,
        """SELECT 'x', sum(billed_cost_usd)::DOUBLE FROM charge JOIN series USING (series_id)
           WHERE provider = 'openai' AND charge_period_start::DATE = '2026-11-17'""",
    )[0][1]
    assert ratios["openai",] == pytest.approx(20.0 / billed)
