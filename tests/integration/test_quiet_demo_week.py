"""Eight ordinary days of the demo's company, a month's end among them, tell nobody anything.

The exporter is asked twice a day, and its figures stand until the next time. Counters are left out, since a
rate over an hour cannot be told from them; the rules' own tests have a calm week with counters.
"""

from __future__ import annotations

import json
import re
import shutil
from bisect import bisect_right
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from exporter.cli.commands.demo import BUDGETS, CATEGORIES, DAILY_LIMIT_USD
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
from tests.prometheus.rule_files import read_rules
from tests.prometheus.test_quiet_week import DAYS, Seen, fired
from tests.support.exposed import Labels, Samples, samples

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed"),
]

BEGINS: Final = datetime(2026, 11, 26, tzinfo=UTC)
"""A month ends in these days, with its tax and its invoice."""

PAST: Final = timedelta(days=32)
STEP: Final = timedelta(hours=12)
JUDGED: Final = {name for rule in read_rules() for name in rule.metrics() if not name.endswith("_total")}

Week = dict[tuple[str, Labels], dict[int, float]]
"""Values by seconds since the week began, for each series."""


def quiet_week(seed: int, folder: Path) -> Week:
    """What the exporter exposes of a company without an incident, in steps."""
    for name in ("export", "spool"):
        (folder / name).mkdir()
    world = World.ending_at(BEGINS, seed=seed, past=PAST, incident_lasts=timedelta(0))
    models = LlmUsage.ending_at(BEGINS, seed=seed, past=PAST, incident_lasts=timedelta(0))
    export = {
        "billing_export": {"files": [f"{folder}/export/*.parquet"]},
        "budget_alerts": {"daily_limit_usd": DAILY_LIMIT_USD},
    }
    config = parse(json.dumps({"gcp": export, "cost_attribution": CATEGORIES, "budgets": BUDGETS}), folder)
    now, written = BEGINS, world.start
    found: Week = {}
    with (
        serving_llm(LlmAdminApis(models, lambda: now)) as address,
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
            clock=lambda: now,
        )
        while now <= BEGINS + timedelta(days=DAYS):
            write_export(world, folder / "export", now, since=written)
            written = now
            shown = judged(refresher.refresh_all().exposition.text.decode())
            assert set(shown["spend_source_up"].values()) == {1.0}
            for name in shown:
                for labels, value in shown[name].items():
                    begins = BEGINS.timestamp() if name.endswith("_timestamp_seconds") else 0
                    found.setdefault((name, labels), {})[int((now - BEGINS).total_seconds())] = value - begins
            now += STEP
    return found


def judged(text: str) -> Samples:
    """The samples that rules ask for."""
    lines = [line for line in text.splitlines() if re.split(r"[{ ]", line, maxsplit=1)[0] in JUDGED]
    return samples("\n".join([*lines, ""]))


def as_series(week: Week) -> dict[str, Seen]:
    """The same as promtool takes it; each value stands until the next step."""
    series: dict[str, Seen] = {"up": lambda _second: 1.0}
    for (name, labels), values in week.items():
        told = ",".join(f'{label}="{value}"' for label, value in labels)
        # Between two steps a source is read every quarter hour.
        read = name == "spend_source_last_success_timestamp_seconds"
        series[f"{name}{{{told}}}" if told else name] = float if read else _standing(values)
    return series


def _standing(values: dict[int, float]) -> Seen:
    moments = sorted(values)

    def value(second: int) -> float | None:
        at = bisect_right(moments, second) - 1
        return values[moments[at]] if at >= 0 and second - moments[at] < STEP.total_seconds() else None

    return value


@pytest.mark.parametrize("seed", [1])
def test_a_quiet_week_of_the_demo_notifies_nobody(seed: int, tmp_path: Path) -> None:
    found = fired(as_series(quiet_week(seed, tmp_path)), tmp_path)
    urgent = [each for each in found if each["severity"] != "info"]
    print(  # noqa: T201
        f"seed {seed}: {len(urgent)} warnings and critical alerts in {DAYS} quiet days; for the digest: "
        f"{dict(Counter(each['alertname'] for each in found if each['severity'] == 'info'))}"
    )
    assert urgent == []
