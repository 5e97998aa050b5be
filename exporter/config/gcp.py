"""The section `gcp` of the configuration: the billing export, live usage, and limits of Google Cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field, StrictBool, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.attribution import CostAttribution
from exporter.config.entries import EntryName, named_twice
from exporter.config.google_accounts import (
    BillingAccount,
    CredentialsPath,
    GoogleOrganization,
    JobProject,
    ProjectIds,
    ServiceAccount,
    read_twice,
)
from exporter.config.problems import Section, explained
from exporter.config.types import (
    BIGQUERY_TABLE,
    ONE_OR_MORE,
    MaxBytesBilled,
    ReadGlob,
    UpdateMinutes,
)

_ACCOUNT_OF_TABLE: Final = re.compile(r"gcp_billing_export_(?:(?:resource_)?v1|focus)_([A-Za-z0-9_]+)$")


class BigQueryExport(Section):
    """The billing export in BigQuery."""

    name: EntryName = None
    table: Annotated[
        StrictStr,
        Field(
            pattern=BIGQUERY_TABLE,
            description="a table as project.dataset.table",
            examples=["project-1.billing.gcp_billing_export_resource_v1_01AB23_4C5D67_89EF01"],
        ),
    ]
    max_bytes_billed: MaxBytesBilled = 10 * 2**30
    lookback_days: Annotated[
        int, Field(strict=True, ge=1, le=366, description="a whole number of days, 1 to 366", examples=[10])
    ] = 10
    job_project: JobProject = None
    credentials_path: CredentialsPath = None
    impersonate_service_account: ServiceAccount = None
    replaces: Annotated[
        tuple[Annotated[StrictStr, Field(pattern=BIGQUERY_TABLE)], ...],
        Field(
            description="a list of tables, as project.dataset.table, whose charges are removed because this "
            "table has them",
            examples=[["project-1.billing.all_exports"]],
        ),
    ] = ()


class BillingExport(Section):
    """Where the billing export is: exactly one of the two."""

    bigquery: Annotated[
        Annotated[tuple[BigQueryExport, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a section, or a list of sections with a table each",
            examples=[{"table": "project-1.billing.gcp_billing_export_v1_X"}],
        ),
    ] = None
    files: Annotated[
        Annotated[tuple[ReadGlob, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a list of at least one path, glob or address (s3://, gs://, az://) of "
            "Parquet, CSV or JSON Lines files",
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
        tables = data.get("bigquery")
        if isinstance(tables, list | tuple):
            twice = list(_counted_twice(tables))
            yield from twice or named_twice(("bigquery",), "gcp.billing_export.bigquery", tables, _entry_of)


def _counted_twice(sections: Sequence[object]) -> Iterator[InitErrorDetails]:
    """Tables of which an earlier one in the list has the same dollars, as far as names show it."""
    seen: dict[str, tuple[int, str]] = {}
    for number, section in enumerate(sections):
        table = section.get("table") if isinstance(section, Mapping) else None
        if not isinstance(table, str):
            continue
        found = _ACCOUNT_OF_TABLE.search(table)
        key = found.group(1).upper() if found else table
        if key in seen:
            other, of_other = seen[key]
            text = (
                f"has the same billing account as {of_other} (gcp.billing_export.bigquery[{other}].table), "
                "so every dollar would count twice; keep one"
            )
            yield explained(("bigquery", number, "table"), text)
        seen.setdefault(key, (number, table))


def entry_of_table(table: str) -> str:
    """Return what an entry without a name is called: the billing account in its table's name."""
    found = _ACCOUNT_OF_TABLE.search(table)
    return found.group(1).upper().replace("_", "-") if found else table.rpartition(".")[2]


def _entry_of(section: Mapping[str, object]) -> object:
    table = section.get("table")
    return entry_of_table(table) if isinstance(table, str) else None


class BudgetAlerts(Section):
    """Limits of Google Cloud's spending."""

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


class CloudBillingBudgets(Section):
    """The budgets that are set up in Cloud Billing."""

    enabled: Annotated[StrictBool, Field(description="true or false", examples=[True])] = False


_Usd = Annotated[
    float, Field(strict=True, ge=0, allow_inf_nan=False, description="US dollars", examples=[0.000024])
]


class RateCard(Section):
    """Fixed rates for Cloud Run, instead of those learned from the bill."""

    request_usd: _Usd
    cpu_second_usd: _Usd
    memory_gb_second_usd: _Usd
    transferred_gb_usd: _Usd
    storage_usd_per_day: _Usd = 0.0


class LiveUsage(Section):
    """Live usage and unit costs of Cloud Run and of other services that Cloud Monitoring measures."""

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


class Recommendations(Section):
    """Savings that Google's Recommender suggests."""

    enabled: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    update_interval_minutes: Annotated[
        float,
        Field(
            strict=True,
            ge=15,
            le=1440,
            allow_inf_nan=False,
            description="a number of minutes from 15 to 1440",
            examples=[60],
        ),
    ] = 60.0


class Gcp(Section):
    """Google Cloud."""

    enabled: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    billing_account_id: BillingAccount = None
    project_ids: ProjectIds = ()
    credentials_path: CredentialsPath = None
    impersonate_service_account: ServiceAccount = None
    update_interval_minutes: UpdateMinutes = 15.0
    billing_export: Annotated[
        BillingExport | None, Field(description="a section", examples=[{"files": ["exports/*.parquet"]}])
    ] = None
    live_usage: Annotated[LiveUsage, Field(description="a section", examples=[{"enabled": True}])] = (
        LiveUsage()
    )
    recommendations: Annotated[
        Recommendations, Field(description="a section", examples=[{"enabled": True}])
    ] = Recommendations()
    cost_attribution: CostAttribution = None
    budget_alerts: Annotated[
        BudgetAlerts | None, Field(description="a section", examples=[{"daily_limit_usd": 100.0}])
    ] = None
    budgets: Annotated[CloudBillingBudgets, Field(description="a section", examples=[{"enabled": True}])] = (
        CloudBillingBudgets()
    )
    organizations: Annotated[
        Annotated[tuple[GoogleOrganization, ...], *ONE_OR_MORE],
        Field(
            description="a section, or a list of sections with a name each",
            examples=[{"name": "research", "project_ids": ["project-3"]}],
        ),
    ] = ()

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        organizations = data.get("organizations")
        if isinstance(organizations, Mapping):
            organizations = [organizations]
        if isinstance(organizations, list | tuple):
            yield from named_twice(("organizations",), "gcp.organizations", organizations, lambda _: "")
            yield from read_twice(data, organizations)
        if data.get("enabled", True) is not True:
            return
        if data.get("billing_export") is not None:
            budgets = data.get("budgets")
            wanted = isinstance(budgets, Mapping) and budgets.get("enabled") is True
            if wanted and not any(
                each.get("billing_account_id") for each in (data, *_mappings(organizations))
            ):
                reason = "gcp.budgets reads the budgets of that account from Cloud Billing"
                example = "billing_account_id: 01AB23-4C5D67-89EF01"
                yield explained(("billing_account_id",), f"is missing ({reason}), for example {example}")
            return
        for key, example in (
            ("billing_account_id", "billing_account_id: 01AB23-4C5D67-89EF01"),
            ("project_ids", "project_ids: [project-1, project-2]"),
        ):
            if data.get(key) in (None, [], ()):
                reason = (
                    "without gcp.billing_export, the exporter looks for the export's table of "
                    "this account in the projects"
                )
                yield explained((key,), f"is missing ({reason}), for example {example}")


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []
