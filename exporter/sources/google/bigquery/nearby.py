"""What is there instead of an export table that does not exist: the words that correct a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from exporter.core.errors import SourceError
from exporter.sources.google.bigquery.table import TABLE_KEY, Datasets, account_of, export_kind

_MOST_NAMES = 5


def nearby_text(datasets: Datasets, table_id: str) -> str:
    """Return a sentence about what exists in place of the table; empty where nothing can be listed."""
    project, dataset, name = table_id.rsplit(".", 2)
    try:
        known = list(datasets.dataset_ids(project))
        if dataset not in known:
            return _other_dataset(datasets, project, dataset, known)
        tables = list(datasets.table_ids(project, dataset))
    except SourceError:
        # The error of the table itself says what is missing.
        return ""
    exports = [table for table in tables if account_of(table)]
    place = f"{project}.{dataset}"
    if not exports:
        others = f" (only {_names(tables)})" if tables else ""
        return (
            f"the dataset {place} has no export table yet{others}: the first rows of a new export take some "
            "hours; see Billing, Billing export in the console for where it writes to"
        )
    return _other_table(place, name, exports)


def _other_table(place: str, name: str, exports: Sequence[str]) -> str:
    underscored = name.replace("-", "_")
    same_account = [table for table in exports if account_of(table) == account_of(underscored)]
    if underscored != name and underscored in exports:
        return (
            f"BigQuery has underscores where the account has dashes: set {TABLE_KEY} to {place}.{underscored}"
        )
    if same_account:
        found = same_account[0]
        return f"the {export_kind(found)} export of this account is there: set {TABLE_KEY} to {place}.{found}"
    nearest = difflib.get_close_matches(underscored, exports, n=1, cutoff=0.85)
    if nearest:
        return f"did you mean {place}.{nearest[0]}?"
    return f"the dataset {place} has {_names(exports)}"


def _other_dataset(datasets: Datasets, project: str, dataset: str, known: Sequence[str]) -> str:
    with_exports = [
        f"{each}.{table}"
        for each in known
        for table in datasets.table_ids(project, each)
        if account_of(table)
    ]
    if with_exports:
        return f"{project} has no dataset {dataset}; exports are in {_names(with_exports)}"
    nearest = difflib.get_close_matches(dataset, known, n=1, cutoff=0.6)
    if nearest:
        return f"{project} has no dataset {dataset}; did you mean {nearest[0]}?"
    return f"{project} has {'the datasets ' + _names(known) if known else 'no dataset that can be seen'}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
