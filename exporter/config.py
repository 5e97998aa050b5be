"""The configuration: one model of every key, read from YAML or JSON (which is YAML).

An error lists every problem at once, each with its key, what is wrong, the value and a good one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StrictBool, StrictStr, ValidationError
from pydantic_core import InitErrorDetails

from exporter.config_problems import Problem, Section, explained, key_text, problems_of
from exporter.config_types import Bytes, ListenAddress, ReadGlob, ReadPath, WrittenPath, host_and_port
from exporter.strict_yaml import NotYaml, read

_PROJECT: Final = r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*[a-z0-9]"
_SMALLEST_BYTE_CAP: Final = 10 * 2**20
_LARGEST_INT64: Final = 2**63 - 1


class ConfigError(Exception):
    """The configuration cannot be used. The text has a line for every problem and holds no secret."""

    def __init__(self, place: str, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n  ".join([f"{place}: {count}", *map(str, problems)]))
        self.problems = tuple(problems)


def load(path: Path) -> Config:
    """Read a configuration file. What it names to be read is relative to its folder. Raises ConfigError."""
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
    """Read a configuration; paths of what it names to be read are relative to `base`. Raises ConfigError."""
    return _parse(text, base, "configuration")


def _parse(text: str, base: Path, place: str) -> Config:
    try:
        document = read(text)
    except NotYaml as error:
        raise ConfigError(place, [Problem("", None, f"is not YAML: {error}")]) from None
    problems = [Problem(key_text(fault.path), fault.line, fault.text) for fault in document.faults]
    config = None
    try:
        value = {} if document.value is None else document.value
        config = Config.model_validate(value, context={"base": base})
    except ValidationError as error:
        problems += problems_of(error, Config, document.lines)
    if config is None or problems:
        raise ConfigError(place, sorted(problems, key=lambda problem: problem.line or 0))
    return config


class BigQueryExport(Section):
    """The billing export in BigQuery."""

    table: Annotated[
        StrictStr,
        Field(
            # Nothing that could end a quoted name in a query.
            pattern=rf"^{_PROJECT}\.[A-Za-z0-9_]+\.[A-Za-z0-9_-]+$",
            description="a table as project.dataset.table",
            examples=["project-1.billing.gcp_billing_export_resource_v1_01AB23_4C5D67_89EF01"],
        ),
    ]
    max_bytes_billed: Annotated[
        Bytes,
        Field(
            strict=True,
            ge=_SMALLEST_BYTE_CAP,
            le=_LARGEST_INT64,
            description="bytes, or a size with KB, MB, GB, TB, KiB, MiB, GiB or TiB, of at least 10MiB",
            examples=["10GiB"],
        ),
    ] = 10 * 2**30
    lookback_days: Annotated[
        int, Field(strict=True, ge=1, le=366, description="a whole number of days, 1 to 366", examples=[10])
    ] = 10


class BillingExport(Section):
    """Where the billing export is read: exactly one of the two."""

    bigquery: Annotated[
        BigQueryExport | None,
        Field(description="a section", examples=[{"table": "project-1.billing.gcp_billing_export_v1_X"}]),
    ] = None
    files: Annotated[
        tuple[ReadGlob, ...] | None,
        Field(
            min_length=1,
            description="a list of at least one path or glob of local Parquet, CSV or JSON Lines files",
            examples=[["exports/*.parquet"]],
        ),
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = [key for key in ("bigquery", "files") if data.get(key) is not None]
        if len(given) == 2:
            yield explained((), "has both bigquery and files, so every dollar would count twice; keep one")
        if not given:
            yield explained((), "needs one of bigquery and files, for example files: [exports/*.parquet]")


class BudgetAlerts(Section):
    """Limits from which alerts on spending will follow."""

    daily_limit_usd: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            allow_inf_nan=False,
            description="a number of dollars above 0",
            examples=[100.0],
        ),
    ] = None
    hourly_spike_threshold: Annotated[
        float | None,
        Field(strict=True, gt=0, allow_inf_nan=False, description="a number above 0", examples=[10.0]),
    ] = None


_Usd = Annotated[
    float, Field(strict=True, ge=0, allow_inf_nan=False, description="US dollars", examples=[0.000024])
]


class RateCard(Section):
    """Fixed rates for Cloud Run, in place of those learnt from the bill."""

    request_usd: _Usd
    cpu_second_usd: _Usd
    memory_gb_second_usd: _Usd
    transferred_gb_usd: _Usd
    storage_usd_per_day: _Usd = 0.0


class CloudRun(Section):
    """Live usage and unit costs, of Cloud Run and of the other services that Cloud Monitoring knows."""

    enabled: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    update_interval_minutes: Annotated[
        float,
        Field(
            strict=True,
            ge=1,
            le=60,
            allow_inf_nan=False,
            description="a number of minutes from 1 to 60",
            examples=[2],
        ),
    ] = 2.0
    by_revision: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    rate_card: Annotated[
        RateCard | None,
        Field(
            description="a section",
            examples=[
                {
                    "request_usd": 0.000024,
                    "cpu_second_usd": 0.000009,
                    "memory_gb_second_usd": 0.0000025,
                    "transferred_gb_usd": 0.12,
                }
            ],
        ),
    ] = None


class Gcp(Section):
    """Google Cloud."""

    enabled: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    billing_account_id: Annotated[
        StrictStr | None,
        Field(
            pattern=r"^[A-Z0-9]{6}-[A-Z0-9]{6}-[A-Z0-9]{6}$",
            description="a billing account: three groups of six capital letters or digits, joined by dashes",
            examples=["01AB23-4C5D67-89EF01"],
        ),
    ] = None
    project_ids: Annotated[
        tuple[Annotated[StrictStr, Field(pattern=rf"^{_PROJECT}$")], ...],
        Field(
            description="a list of project ids (lower-case letters, digits, dashes)",
            examples=[["project-1", "project-2"]],
        ),
    ] = ()
    credentials_path: Annotated[
        ReadPath | None,
        Field(description="the path of a credentials file", examples=["~/.config/gcp/credentials.json"]),
    ] = None
    impersonate_service_account: Annotated[
        StrictStr | None,
        Field(
            pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$",
            description="a service account's e-mail address",
            examples=["spend-exporter@project-1.iam.gserviceaccount.com"],
        ),
    ] = None
    update_interval_minutes: Annotated[
        float,
        Field(
            strict=True,
            gt=0,
            le=1440,
            allow_inf_nan=False,
            description="a number of minutes above 0, up to 1440",
            examples=[15],
        ),
    ] = 15.0
    billing_export: Annotated[
        BillingExport | None, Field(description="a section", examples=[{"files": ["exports/*.parquet"]}])
    ] = None
    cloud_run: Annotated[CloudRun, Field(description="a section", examples=[{"enabled": True}])] = CloudRun()
    cost_attribution: Annotated[
        Mapping[StrictStr, tuple[Annotated[StrictStr, Field(min_length=1)], ...]] | None,
        Field(
            description="categories, each with a list of words",
            examples=[{"ai_ml": ["aiplatform", "ml"], "networking": ["networking", "cdn"]}],
        ),
    ] = None
    budget_alerts: Annotated[
        BudgetAlerts | None, Field(description="a section", examples=[{"daily_limit_usd": 100.0}])
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if data.get("enabled", True) is not True or data.get("billing_export") is not None:
            return
        for key, example in (
            ("billing_account_id", "billing_account_id: 01AB23-4C5D67-89EF01"),
            ("project_ids", "project_ids: [project-1, project-2]"),
        ):
            if data.get(key) in (None, [], ()):
                reason = (
                    "without gcp.billing_export the export's table is looked for by account in the projects"
                )
                yield explained((key,), f"is missing ({reason}), for example {example}")


class Config(Section):
    """All of the configuration. Values are checked, paths are ready to use."""

    listen: Annotated[
        ListenAddress,
        Field(description="host:port, with an IPv6 host in brackets", examples=["127.0.0.1:9877"]),
    ] = "127.0.0.1:9877"
    web_config_file: Annotated[
        ReadPath | None, Field(description="the path of a file", examples=["web.yml"])
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

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        gcp = data.get("gcp")
        enabled = gcp.get("enabled", True) if isinstance(gcp, Mapping) else getattr(gcp, "enabled", True)
        if gcp is None:
            example = "gcp: {billing_export: {files: [exports/*.parquet]}}"
            yield explained(
                ("gcp",), f"no source is given, so there is nothing to show; for example {example}"
            )
        elif enabled is False:
            text = "no source is enabled, so there is nothing to show; for example enabled: true"
            yield explained(("gcp", "enabled"), text)

    @property
    def host(self) -> str:
        """Host of `listen`, an IPv6 one without brackets."""
        return host_and_port(self.listen)[0]

    @property
    def port(self) -> int:
        """Port of `listen`; 0 asks the system for a free one."""
        return host_and_port(self.listen)[1]

    @property
    def keys_without_effect(self) -> tuple[str, ...]:
        """Keys that are set and valid, and that no part of this version uses as things are set."""
        if self.gcp is None:
            return ()
        alerts = self.gcp.budget_alerts
        waiting = {
            "gcp.cost_attribution": self.gcp.cost_attribution,
            "gcp.budget_alerts.hourly_spike_threshold": alerts and alerts.hourly_spike_threshold,
            "gcp.cloud_run (without gcp.project_ids)": "cloud_run" in self.gcp.model_fields_set
            and self.gcp.cloud_run.enabled
            and not self.gcp.project_ids,
        }
        return tuple(key for key, value in waiting.items() if value)
