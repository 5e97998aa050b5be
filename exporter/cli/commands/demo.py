"""`spend-exporter demo`: a simulated company's growing billing export, and an exporter that reads it.

Nothing else is needed: no account, no network. The exporter does not know that the bill is simulated.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from exporter.cli.arguments import add_listen, print_address
from exporter.cli.commands.serve import serve, stop_on_signals
from exporter.config.model import Config, parse
from exporter.config.types import host_and_port
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.cloud_monitoring import CloudMonitoring, serving
from exporter.simulator.google.company import PROJECTS
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.simulator.google.recommender_api import RecommenderApi
from exporter.simulator.google.world import World
from exporter.simulator.json_server import serving_json
from exporter.simulator.llm.admin_apis import ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY, LlmAdminApis, serving_llm
from exporter.simulator.llm.calls import Calls
from exporter.simulator.llm.usage import LlmUsage
from exporter.simulator.llm.usage_log import UsageLog
from exporter.simulator.orders import Orders
from exporter.simulator.prometheus_api import ORDERS_QUERY, PrometheusApi
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource

logger = logging.getLogger(__name__)

EXPORT_EVERY_SECONDS = 60.0
"""How often new rows of the company's bill are written; each row has its own time within the hour."""

READ_EVERY_MINUTES = 0.25

PAST_DAYS = 45
"""How far back the simulated company's bill goes."""

USAGE_EVERY = timedelta(minutes=1)

CATEGORIES = {
    "ai": {"services": ["Vertex AI", "OpenAI API", "Claude API"]},
    "data": ["bigquery", "sql", "storage"],
    "serving": ["run", "compute"],
}
"""The company's own categories of spending."""

SHOP_PROJECTS = ["northwind-prod", "northwind-eu-prod"]
"""What the company's orders cost: the production of the shop."""

DAILY_LIMIT_USD = 3400

BUDGETS = [
    {"name": "everything", "period": "month", "limit_usd": 84_000},
    {"name": "ai", "period": "month", "limit_usd": 18_000, "match": {"category": "ai"}},
    {
        "name": "support assistant",
        "period": "week",
        "limit_usd": 2700,
        "match": {"projects": ["northwind-assistant"]},
    },
]
"""An ordinary week stays below 90 % of each budget and of the daily limit; the incident does not."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo`."""
    add_listen(command)
    command.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="keep the simulated bill and the ledger here, and continue them next time (default: start "
        "fresh)",
    )
    command.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="seed of the simulation: another number makes another company (default: 1)",
    )
    command.add_argument(
        "--remote-write-url",
        metavar="URL",
        help="send each hour's cost to this remote-write receiver, such as http://127.0.0.1:9090/api/v1/write",
    )


def run(chosen: argparse.Namespace) -> int:
    """Simulate a company, write its billing export hour by hour, and serve it."""
    demo(
        chosen.listen or host_and_port("127.0.0.1:9877"),
        stop_on_signals(),
        directory=chosen.directory,
        seed=chosen.seed,
        announce=print_address,
        remote_write_url=chosen.remote_write_url,
    )
    return 0


def demo(
    listen: tuple[str, int],
    stopping: threading.Event,
    *,
    directory: Path | None,
    seed: int,
    announce: Callable[[str], None],
    remote_write_url: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    export_every_seconds: float = EXPORT_EVERY_SECONDS,
) -> None:
    """Write the past, then serve it and continue to write until `stopping` is set.

    With `directory` the company, its bill and the ledger are kept there and continued. With
    `remote_write_url` the cost of each hour of the company's past is sent there. The company and the
    exporter use the same `clock`. Raises the same errors as `serve`.
    """
    with _folder(directory) as folder:
        export = folder / "export"
        export.mkdir(exist_ok=True)
        logs = folder / "llm"
        logs.mkdir(exist_ok=True)
        company = _Company(folder / "world.json", export, logs, seed, clock())
        company.write_past(clock(), stopping)
        if stopping.is_set():
            return
        writer = threading.Thread(
            target=company.keep_writing, args=(clock, stopping, export_every_seconds), name="demo-export"
        )
        writer.start()
        try:
            with (
                serving(CloudMonitoring(SimulatedUsage(company.world), clock)) as address,
                serving_llm(LlmAdminApis(company.language_models, clock)) as llm_address,
                serving_json(RecommenderApi()) as advice_address,
                serving_json(PrometheusApi(company.orders)) as prometheus_address,
            ):
                config = _config(folder, prometheus_address, remote_write_url)
                projects = [project.id for project in PROJECTS.values()]
                monitoring = CloudMonitoringSource(
                    projects,
                    endpoint=address,
                    plaintext=True,
                    update_interval=USAGE_EVERY,
                )
                openai = OpenAISource(lambda: OPENAI_ADMIN_KEY, base_url=llm_address)
                anthropic = AnthropicSource(lambda: ANTHROPIC_ADMIN_KEY, base_url=llm_address)
                openai.update_interval = anthropic.update_interval = USAGE_EVERY
                advice = RecommenderSource(projects, endpoint=advice_address, plaintext=True)
                serve(
                    config, listen, stopping, announce, [monitoring, openai, anthropic, advice], clock=clock
                )
        finally:
            stopping.set()
            writer.join()


def _config(folder: Path, prometheus: str, remote_write_url: str | None) -> Config:
    """Return the configuration of the demo; `prometheus` is the address of the company's own."""
    document = {
        "ledger": str(folder / "ledger.duckdb"),
        "gcp": {
            "update_interval_minutes": READ_EVERY_MINUTES,
            "billing_export": {"files": [str(folder / "export" / "*.parquet")]},
            "budget_alerts": {"daily_limit_usd": DAILY_LIMIT_USD},
        },
        "llm": {"usage_logs": [str(folder / "llm" / "*.jsonl")]},
        "cost_attribution": CATEGORIES,
        "budgets": BUDGETS,
        "label_costs": ["team", "branch"],
        "unit_costs": {
            "order": {
                "match": {"projects": SHOP_PROJECTS},
                "promql": ORDERS_QUERY,
                "prometheus": prometheus,
            }
        },
        "history": _history(remote_write_url),
    }
    return parse(json.dumps(document), folder)


def _history(remote_write_url: str | None) -> dict[str, object]:
    if remote_write_url is None:
        return {}
    return {"remote_write": {"url": remote_write_url, "since_days": PAST_DAYS + 1}}


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="spend-exporter-demo-") as made:
            yield Path(made)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.absolute()


class _Company:
    """A simulated company and its bill in a folder; a file keeps its seed and how far the bill is written."""

    def __init__(self, memory: Path, export: Path, logs: Path, seed: int, now: datetime) -> None:
        """Continue the company that the file names, or start one that has a past of 45 days."""
        self._memory = memory
        self._export = export
        self._seed, self._began, until = seed, now, ""
        if memory.exists():
            known = json.loads(memory.read_text(encoding="utf-8"))
            self._seed, self._began = known["seed"], datetime.fromisoformat(known["began"])
            until = known.get("written_until", "")
        self.world = World.ending_at(self._began, seed=self._seed)
        self.language_models = LlmUsage.ending_at(self._began, seed=self._seed)
        self.orders = Orders(self._seed, self.world.start)
        self._log = UsageLog(Calls(self.language_models, self.world), logs)
        self._written_until = self.world.start
        if until and any(export.iterdir()):
            self._written_until = datetime.fromisoformat(until)

    def write_past(self, now: datetime, stopping: threading.Event) -> None:
        """Write what was exported before `now` and is not written yet, day by day, with a progress bar."""
        day = self._written_until.replace(hour=0, minute=0, second=0, microsecond=0)
        days = (now - day) // timedelta(days=1) + 1
        for number in range(days):
            if stopping.is_set():
                return
            self._write(min(now, day + timedelta(days=number + 1)))
            _show_progress(number + 1, days)
        self._log.write_until(now)

    def keep_writing(
        self, clock: Callable[[], datetime], stopping: threading.Event, every_seconds: float
    ) -> None:
        """Continue to write until `stopping` is set."""
        while not stopping.wait(every_seconds):
            try:
                self._write(clock())
                self._log.write_until(clock())
            except (OSError, duckdb.Error):
                logger.exception("the simulated bill could not be written; the next try is in a minute")

    def _write(self, until: datetime) -> None:
        if until <= self._written_until:
            return
        write_export(self.world, self._export, until, since=self._written_until)
        self._written_until = until
        known = {"seed": self._seed, "began": self._began.isoformat(), "written_until": until.isoformat()}
        part = self._memory.with_name(f".{self._memory.name}.tmp")
        part.write_text(json.dumps(known), encoding="utf-8")
        part.replace(self._memory)


def _show_progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        bar = "#" * (30 * done // of)
        end = "\n" if done == of else ""
        print(f"\rsimulating {of} days of a company's bill [{bar:<30}]", end=end, file=sys.stderr, flush=True)  # noqa: T201
    elif done == of:
        logger.info("simulated %d days of a company's bill", of)
