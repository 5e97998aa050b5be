"""The billing export table: its columns, partitioning and location, and finding it by its name.

Everything is read from the API at run time, since Google adds columns and moves them about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol, cast

from exporter.core.errors import SourceError
from exporter.sources.google.bigquery.partitions import VIRTUAL_DAYS, Partitioning, Unit

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField, Table


class Datasets(Protocol):
    """Whoever can list what a principal may see."""

    @property
    def principal(self) -> str:
        """Who asks, as errors name it."""
        ...

    def dataset_ids(self, project_id: str) -> Iterable[str]:
        """Return the datasets of a project."""
        ...

    def table_ids(self, project_id: str, dataset_id: str) -> Iterable[str]:
        """Return the tables of a dataset."""
        ...


TABLE_KEY: Final = "gcp.billing_export.bigquery.table"
"""Configuration key that names the table."""
MAX_BYTES_KEY: Final = "gcp.billing_export.bigquery.max_bytes_billed"

_TABLE_ID = re.compile(r"[a-z][a-z0-9.:-]*\.[A-Za-z0-9_]+\.[A-Za-z0-9_$ -]+")
FOCUS_PREFIX: Final = "gcp_billing_export_focus_"
_PREFIXES: Final = ("gcp_billing_export_resource_v1_", "gcp_billing_export_v1_", FOCUS_PREFIX)
"""Detailed export, then standard export, which has less, then the FOCUS export, which is a preview."""
_NEEDED: Final = ("cost", "usage_start_time", "export_time")
_NEEDED_OF_FOCUS: Final = ("BilledCost", "ChargePeriodStart", "x_ExportTime")

_FOCUS_LASTS: Final = timedelta(days=700)
"""So long rows are in a FOCUS export at least: Google deletes them after two years."""


@dataclass(frozen=True, slots=True)
class ExportTable:
    """What has to be known of a table to query it."""

    table_id: str
    """project.dataset.table"""
    location: str
    columns: frozenset[str]
    """Dotted paths of all columns, nested ones included: `cost`, `service.id`, `credits.amount`."""
    partitioning: Partitioning
    description: str
    """One line for people: size, partitioning, clustering, location."""
    focus: bool = False
    """Whether it is Google's FOCUS export, with columns of other names."""

    @property
    def export_time(self) -> str:
        """The column that has when a row was written."""
        return "x_ExportTime" if self.focus else "export_time"


def account_of(table_id: str) -> str | None:
    """Return the billing account in the name that Google gives an export table; None for other names."""
    name = table_id.rpartition(".")[2]
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix).upper()
    return None


def export_kind(table_id: str) -> str:
    """Return which export a table with Google's name is: `detailed`, `standard` or `FOCUS`."""
    name = table_id.rpartition(".")[2]
    if name.startswith(FOCUS_PREFIX):
        return "FOCUS"
    return "detailed" if "_resource_" in name else "standard"


def check_table_id(table_id: str) -> str:
    """Return the id if it is a full project.dataset.table; raises SourceError `bad_configuration`."""
    if not _TABLE_ID.fullmatch(table_id):
        raise SourceError(
            "bad_configuration",
            f"{TABLE_KEY} is {table_id!r}; write it in full, as project.dataset.table, for instance "
            "my-project.billing.gcp_billing_export_resource_v1_0123AB_4567CD_89EF01",
        )
    return table_id


def find_table(
    datasets: Datasets,
    project_ids: Sequence[str],
    billing_account_id: str | None,
    read_so_far: Collection[str],
) -> str:
    """Return the id of the one export table in these projects, the detailed export before the standard one.

    A table of `read_so_far` goes before all others: a detailed export that was turned on today has no
    history, and must not push out the standard one that has.

    Raises SourceError `table_not_found` or `table_ambiguous`, naming the configuration key to set.
    """
    suffix = (billing_account_id or "").replace("-", "_")
    found = list(_export_tables(datasets, project_ids, suffix))
    for table_id in found:
        if table_id in read_so_far:
            return table_id
    for prefix in _PREFIXES:
        matching = [table_id for table_id in found if table_id.rpartition(".")[2].startswith(prefix)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise SourceError(
                "table_ambiguous",
                f"several billing exports were found: {', '.join(sorted(matching))}; "
                f"set {TABLE_KEY} to the one to read",
            )
    looked_for = " or ".join(prefix + (suffix or "…") for prefix in _PREFIXES)
    raise SourceError(
        "table_not_found",
        f"no table {looked_for} in the datasets of {', '.join(project_ids) or 'no project'} "
        f"that {datasets.principal} can see: set {TABLE_KEY} to project.dataset.table, or add the project "
        "that holds the export to gcp.project_ids; where there is no export yet, turn it on in the console "
        "under Billing, Billing export (the first rows take some hours)",
    )


def _export_tables(datasets: Datasets, project_ids: Sequence[str], suffix: str) -> Iterator[str]:
    for project_id in project_ids:
        for dataset_id in datasets.dataset_ids(project_id):
            for table_id in datasets.table_ids(project_id, dataset_id):
                if any(
                    table_id.startswith(prefix) and table_id.removeprefix(prefix).endswith(suffix)
                    for prefix in _PREFIXES
                ):
                    yield f"{project_id}.{dataset_id}.{table_id}"


def describe(table_id: str, table: Table, location: str) -> ExportTable:
    """Read what matters from the API's table resource.

    Raises SourceError `not_an_export` when a column is missing without which there is no charge.
    """
    columns = frozenset(_paths(table.schema))
    focus = is_focus_export(table_id, columns)
    missing = [name for name in (_NEEDED_OF_FOCUS if focus else _NEEDED) if name.lower() not in columns]
    if missing:
        other = "; list a FOCUS table that Google does not write under focus.bigquery" if focus else ""
        raise SourceError(
            "not_an_export",
            f"{table_id} has no column {', '.join(missing)}, so it is not a Cloud Billing export; "
            f"set {TABLE_KEY} to a table whose name starts with {' or '.join(_PREFIXES)}{other}",
        )
    partitioning = _partitioning(table, focus=focus)
    clustering = ", ".join(table.clustering_fields or ()) or "nothing"
    size = "" if table.num_bytes is None else f", {table.num_bytes / 2**20:,.0f} MiB"
    return ExportTable(
        table_id,
        location,
        columns,
        partitioning,
        f"{table_id}: {len(table.schema)} columns{size}, partitioned by {partitioning.unit.lower()} of "
        f"{partitioning.column}, clustered by {clustering}, in {location}",
        focus,
    )


def is_focus_export(table_id: str, columns: Collection[str]) -> bool:
    """Return whether a table is Google's FOCUS export: by its name, or as a view of it by its columns."""
    named = table_id.rpartition(".")[2].startswith(FOCUS_PREFIX)
    return named or ("billedcost" in columns and "cost" not in columns)


def _paths(schema: Iterable[SchemaField], above: str = "") -> Iterator[str]:
    for field in schema:
        path = f"{above}{field.name}".lower()
        yield path
        yield from _paths(field.fields, f"{path}.")


def _partitioning(table: Table, *, focus: bool) -> Partitioning:
    rule = table.time_partitioning
    if rule is None:
        # A linked dataset does not always show how a table is partitioned, and when its rows are deleted.
        return (
            replace(VIRTUAL_DAYS, column="x_ExportTime", expiration=_FOCUS_LASTS) if focus else VIRTUAL_DAYS
        )
    expiration = timedelta(milliseconds=rule.expiration_ms) if rule.expiration_ms else None
    unit = cast("Unit", rule.type_ or "DAY")
    if not rule.field:
        return Partitioning("ingestion", "_PARTITIONTIME", "TIMESTAMP", unit, expiration)
    column_type = next(field.field_type for field in table.schema if field.name.lower() == rule.field.lower())
    return Partitioning("column", f"`{rule.field}`", column_type, unit, expiration)
