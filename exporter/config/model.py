"""The configuration: one model of every key, read from YAML or JSON (which is YAML).

An error lists every problem at once, each with its key, what is wrong, the value and a good one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, ValidationError

from exporter.config.attribution import CostAttribution, LabelCosts, UnitCosts, unknown_categories
from exporter.config.budgets import Alerts, Budgets, unknown_budget_categories
from exporter.config.focus import Focus
from exporter.config.gcp import Gcp
from exporter.config.history import History
from exporter.config.llm import Llm
from exporter.config.object_storage import ObjectStorage
from exporter.config.problems import ConfigError, Problem, Section, key_text, problems_of
from exporter.config.renamed import RenamedKey, with_present_names
from exporter.config.reports import Reports
from exporter.config.retractions import Retractions
from exporter.config.timeouts import Timeouts
from exporter.config.types import ListenAddress, ReadPath, WebAddress, WrittenPath, host_and_port
from exporter.config.yaml import KeyPath, NotYaml, read


def load(path: Path) -> Config:
    """Read a configuration file. Paths of files to read are relative to its folder. Raises ConfigError."""
    place = f"configuration {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = Problem("", None, f"byte {error.start} is not UTF-8 text; save the file as UTF-8")
        raise ConfigError(place, [problem]) from None
    except OSError as error:
        problem = Problem("", None, f"cannot be read ({error.strerror}); name a readable YAML or JSON file")
        raise ConfigError(place, [problem]) from None
    return _parse(text, path.parent.absolute(), place)


def parse(text: str, base: Path) -> Config:
    """Read a configuration; paths of files to read are relative to `base`. Raises ConfigError."""
    return _parse(text, base, "configuration")


def _parse(text: str, base: Path, place: str) -> Config:
    try:
        document = read(text)
    except NotYaml as error:
        raise ConfigError(place, [Problem("", None, f"is not YAML: {error}")]) from None
    value, lines, renamed, problems = with_present_names(document.value, document.lines)
    problems += [Problem(key_text(fault.path), fault.line, fault.text) for fault in document.faults]
    config = None
    try:
        config = Config.model_validate({} if value is None else value, context={"base": base})
    except ValidationError as error:
        problems += problems_of(error, Config, lines)
    if config is not None:
        config._renamed = tuple(renamed)
        config._place = place
        problems += _unknown_categories(config, lines)
    if config is None or problems:
        raise ConfigError(place, sorted(problems, key=lambda problem: problem.line or 0))
    return config


def _unknown_categories(config: Config, lines: Mapping[KeyPath, int]) -> Iterator[Problem]:
    attributions = (config.cost_attribution, config.gcp.cost_attribution if config.gcp else None)
    units = unknown_categories(config.unit_costs, *attributions)
    budgets = unknown_budget_categories(config.budgets, *attributions)
    found: list[tuple[KeyPath, str]] = [(("unit_costs", unit), category) for unit, category in units]
    found += [(("budgets", at), category) for at, category in budgets]
    for place, category in found:
        path = (*place, "match", "category")
        text = f"names the category {category!r}, which cost_attribution does not have; add it there"
        yield Problem(key_text(path), lines.get(path), text)


class Config(Section):
    """The whole configuration. Values are checked, paths are ready to use."""

    listen: Annotated[
        ListenAddress,
        Field(description="host:port, with an IPv6 host in brackets", examples=["127.0.0.1:9877"]),
    ] = "127.0.0.1:9877"
    web_config_file: Annotated[
        ReadPath | None, Field(description="the path of a file", examples=["web.yml"])
    ] = None
    grafana_url: Annotated[
        WebAddress | None,
        Field(description="a web address, http or https", examples=["https://grafana.internal"]),
    ] = None
    ledger: Annotated[WrittenPath, Field(description="the path of a file", examples=["spend.duckdb"])] = Path(
        "spend.duckdb"
    )
    ledger_keep_days: Annotated[
        int,
        Field(strict=True, ge=62, le=3660, description="a whole number of days, 62 to 3660", examples=[400]),
    ] = 400
    max_series: Annotated[
        int,
        Field(
            strict=True,
            ge=100,
            le=10_000_000,
            description="a whole number of series, 100 to 10000000",
            examples=[50000],
        ),
    ] = 50_000
    gcp: Annotated[
        Gcp | None,
        Field(description="a section", examples=[{"billing_export": {"files": ["exports/*.parquet"]}}]),
    ] = None

    llm: Annotated[
        Llm | None,
        Field(description="a section", examples=[{"openai": {"admin_key_file": "openai.key"}}]),
    ] = None
    focus: Annotated[Focus | None, Field(description="a section", examples=[{"files": ["focus/*.csv"]}])] = (
        None
    )

    object_storage: Annotated[
        ObjectStorage,
        Field(description="a section", examples=[{"s3": {"endpoint_url": "https://minio.internal:9000"}}]),
    ] = ObjectStorage()

    retractions: Annotated[Retractions, Field(description="a section", examples=[{"largest_share": 0.2}])] = (
        Retractions()
    )

    history: Annotated[
        History | None,
        Field(description="a section", examples=[{"jsonl": {"directory": "history"}}]),
    ] = None

    timeouts: Annotated[Timeouts, Field(description="a section", examples=[{"request_seconds": 60}])] = (
        Timeouts()
    )

    cost_attribution: CostAttribution = None
    label_costs: LabelCosts = ()
    unit_costs: UnitCosts = None
    budgets: Budgets = None
    reports: Reports = ()
    alerts: Annotated[Alerts, Field(description="a section", examples=[{"hourly_spike_usd": 25.0}])] = (
        Alerts()
    )

    _renamed: tuple[RenamedKey, ...] = PrivateAttr(default=())
    _place: str = PrivateAttr(default="configuration")

    @property
    def google(self) -> Gcp | None:
        """The section of Google Cloud; None where it is missing or not enabled."""
        return self.gcp if self.gcp is not None and self.gcp.enabled else None

    @property
    def place(self) -> str:
        """Its name in errors: `configuration spend.yml`."""
        return self._place

    @property
    def renamed_keys(self) -> tuple[RenamedKey, ...]:
        """Keys that were given by a name from an earlier version."""
        return self._renamed

    @property
    def host(self) -> str:
        """Host of `listen`, an IPv6 one without brackets."""
        return host_and_port(self.listen)[0]

    @property
    def port(self) -> int:
        """Port of `listen`; with 0 the system chooses a free one."""
        return host_and_port(self.listen)[1]

    @property
    def keys_without_effect(self) -> tuple[str, ...]:
        """Keys that are set and valid but have no effect with the other settings."""
        if self.gcp is None:
            return ()
        waiting = {
            "gcp.live_usage (without gcp.project_ids)": "live_usage" in self.gcp.model_fields_set
            and self.gcp.live_usage.enabled
            and not self.gcp.project_ids,
            "gcp.recommendations (without gcp.project_ids)": "recommendations" in self.gcp.model_fields_set
            and self.gcp.recommendations.enabled
            and not self.gcp.project_ids,
        }
        return tuple(key for key, value in waiting.items() if value)
