"""The section `focus` of the configuration: bills of any provider in the FinOps FOCUS format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.entries import named_twice
from exporter.config.google_accounts import CredentialsPath, JobProject, ServiceAccount
from exporter.config.problems import Section, explained
from exporter.config.types import (
    BIGQUERY_TABLE,
    ONE_OR_MORE,
    MaxBytesBilled,
    ReadGlob,
    UpdateMinutes,
)
from exporter.core.providers import bill_label

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


class FocusBigQuery(Section):
    """A table in BigQuery with FOCUS columns, or a query that gives them: exactly one of the two."""

    name: Annotated[
        StrictStr | None,
        Field(
            pattern=_NAME,
            description="a name of letters, digits, dashes and underscores",
            examples=["aws"],
        ),
    ] = None
    table: Annotated[
        StrictStr | None,
        Field(
            pattern=BIGQUERY_TABLE,
            description="a table as project.dataset.table",
            examples=["project-1.bills.focus_aws"],
        ),
    ] = None
    sql: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            description="a query in BigQuery's SQL that gives FOCUS columns",
            examples=["SELECT * FROM `project-1.bills.focus_aws`"],
        ),
    ] = None
    providers: Annotated[
        tuple[Annotated[StrictStr, Field(min_length=1)], ...] | None,
        Field(
            min_length=1,
            description="a list of providers, as the label `provider` has them",
            examples=[["aws", "azure"]],
        ),
    ] = None
    max_bytes_billed: MaxBytesBilled = 10 * 2**30
    location: Annotated[
        StrictStr | None,
        Field(
            pattern=r"^[A-Za-z0-9-]+$",
            description="where BigQuery keeps the data",
            examples=["EU"],
        ),
    ] = None
    job_project: JobProject = None
    credentials_path: CredentialsPath = None
    impersonate_service_account: ServiceAccount = None

    @property
    def entry(self) -> str:
        """Its name, else that of its table."""
        return self.name or entry_of(self.table)

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = [key for key in ("table", "sql") if data.get(key) is not None]
        if len(given) != 1:
            text = "needs exactly one of table and sql, for example table: project-1.bills.focus_aws"
            yield explained((), text)
        if given == ["sql"] and data.get("name") is None:
            yield explained(("name",), "is missing: a query has no name of its own, for example name: aws")
        for number, provider in enumerate(_texts(data.get("providers"))):
            if (label := bill_label(provider)) != provider:
                yield explained(("providers", number), f"is written {label} in the label `provider`")


class Focus(Section):
    """FOCUS exports in files and in BigQuery."""

    files: Annotated[
        tuple[ReadGlob, ...] | None,
        Field(
            min_length=1,
            description="a list of at least one path, glob or address (s3://, gs://, az://) of "
            "CSV or Parquet files",
            examples=[["focus/*.csv"]],
        ),
    ] = None
    bigquery: Annotated[
        Annotated[tuple[FocusBigQuery, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a section, or a list of sections with a table or a query each",
            examples=[{"table": "project-1.bills.focus_oracle", "providers": ["oci"]}],
        ),
    ] = None
    cost: Annotated[
        Literal["billed", "effective"],
        Field(description="billed or effective", examples=["billed"]),
    ] = "billed"
    usd_per: Annotated[
        Mapping[
            Annotated[StrictStr, Field(pattern=r"^[A-Z]{3}$")],
            Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)],
        ],
        Field(
            description="currencies, each with the value of one unit in US dollars",
            examples=[{"EUR": 1.08}],
        ),
    ] = {}
    update_interval_minutes: UpdateMinutes = 15.0

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = data.get("bigquery") or ()
        entries = [given] if isinstance(given, Mapping) else given
        if data.get("files") is None and not entries:
            yield explained((), "needs one of files and bigquery, for example files: [focus/*.csv]")
        if isinstance(entries, Sequence) and not isinstance(entries, str):
            several = len(entries) > 1
            shared = [each for each in entries if isinstance(each, Mapping)]
            yield from named_twice(("bigquery",), "focus.bigquery", entries, _named)
            yield from _counted_twice(shared, several=several, beside_files=bool(data.get("files")))


def entry_of(table: object) -> str:
    """Return what an entry without a name is called: the name of its table."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", str(table).rpartition(".")[2])


def _named(entry: Mapping[str, object]) -> object:
    """Return what an entry without a name is called; None for one that has to have one."""
    table = entry.get("table")
    return None if table is None else entry_of(table)


def _counted_twice(
    entries: Sequence[Mapping[str, object]], *, several: bool, beside_files: bool
) -> Iterator[InitErrorDetails]:
    """Entries whose dollars another entry, or the files, may have as well."""
    providers: dict[str, int] = {}
    for number, entry in enumerate(entries):
        place = ("bigquery", number) if several else ("bigquery",)
        if not entry.get("providers") and (several or beside_files):
            others = "the other tables" if several else "focus.files"
            text = (
                f"is missing: {others} may have the same bills, so dollars could count twice; name the "
                "providers whose bills this one has, for example providers: [aws]"
            )
            yield explained((*place, "providers"), text)
        for provider in _texts(entry.get("providers")):
            if (other := providers.setdefault(provider, number)) != number:
                text = (
                    f"focus.bigquery[{other}] bills {provider} as well, so every dollar would count twice; "
                    "keep one, or join two accounts of a provider by UNION ALL in one sql"
                )
                yield explained((*place, "providers"), text)


def _texts(value: object) -> Sequence[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else ()
