"""Runs a folder of inputs as a user would: its configuration is loaded, refreshed once and looked at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from exporter.config.model import load
from exporter.sources.base import Finding, RefreshContext, RefreshTally
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.fakes.llm_admin import FakeAdminApi
from tests.support.exposed import Samples, by, samples

CASES = Path(__file__).parents[1] / "data" / "cases" / "llm"
NOW = datetime(2026, 11, 25, 19, 30, tzinfo=UTC)
"""Shortly after what the inputs contain."""


@dataclass
class Outcome:
    """What the product made of a case."""

    values: Samples
    findings: list[Finding] = field(default_factory=list)

    def total(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have some labels."""
        wanted = set(labels.items())
        found = (value for series, value in self.values.get(metric, {}).items() if wanted <= set(series))
        return sum(found)

    def sums(self, metric: str, *names: str) -> dict[tuple[str, ...], float]:
        """The sums of a metric's series by some labels."""
        return by(self.values.get(metric, {}), *names)

    @property
    def reasons(self) -> dict[str, float]:
        """Source errors by reason."""
        return {
            reason: value for (reason,), value in self.sums("spend_source_errors_total", "reason").items()
        }

    @property
    def report(self) -> str:
        """What `check` prints of everything that is not simply fine."""
        return "\n".join(
            f"{each.what}: {each.detail}" for each in self.findings if each.warning or not each.ok
        )


def outcome_of_folder(folder: Path, now: datetime = NOW) -> Outcome:
    """Refresh the configuration of a folder once, and check it."""
    config = load(folder / "config.yml")
    sources = configured_sources(config, {})
    with opened_refresher(config, sources, None, lambda: now) as refresher:
        built = refresher.refresh_all(as_of=None)
    findings = []
    for source in sources:
        spool = folder / ".spool"
        spool.mkdir(exist_ok=True)
        context = RefreshContext(
            known={},
            now=now,
            latest_plausible=now + timedelta(days=1),
            oldest_kept=now - timedelta(days=400),
            spool=spool,
            tally=RefreshTally(),
        )
        findings += source.check(context)
    return Outcome(samples(built.text), findings)


def outcome(name: str, tmp_path: Path, now: datetime = NOW) -> Outcome:
    """Copy a case to a temporary folder, serve the answers of its API, and run it."""
    folder = tmp_path / name
    shutil.copytree(CASES / name, folder)
    with _served(folder):
        return outcome_of_folder(folder, now)


def outcome_of_log(tmp_path: Path, *lines: object, now: datetime = NOW) -> Outcome:
    """Write a usage log of some lines, which are texts or become JSON, and run it."""
    texts = (each if isinstance(each, str) else json.dumps(each) for each in lines)
    (tmp_path / "calls.jsonl").write_text("".join(f"{text}\n" for text in texts))
    (tmp_path / "config.yml").write_text('llm: {usage_logs: ["calls.jsonl"]}\n')
    return outcome_of_folder(tmp_path, now)


@contextmanager
def _served(folder: Path) -> Iterator[None]:
    rows = folder / "api-rows.json"
    if not rows.exists():
        yield
        return
    config = yaml.safe_load((folder / "config.yml").read_text())
    ((provider, section),) = config["llm"].items()
    api = FakeAdminApi(openai=provider == "openai")
    for path, results in json.loads(rows.read_text()).items():
        for start, result in results:
            api.add(path, datetime.fromisoformat(start), **result)
    (folder / "key").write_text(api.key)
    with api.serve() as server:
        section["base_url"] = server.address
        (folder / "config.yml").write_text(yaml.safe_dump(config))
        yield
