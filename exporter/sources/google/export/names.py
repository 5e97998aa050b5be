"""How files of a billing export name their columns: nested, or flattened in the ways that common tools write.

`service.description`, `service_description` and `service__description` are one leaf, in any case of letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

EXPORT_COLUMNS: Final[Mapping[str, str]] = {
    "billing_account_id": "VARCHAR",
    "service": "JSON",
    "sku": "JSON",
    "usage_start_time": "VARCHAR",
    "usage_end_time": "VARCHAR",
    "project": "JSON",
    "location": "JSON",
    "export_time": "VARCHAR",
    "cost": "VARCHAR",
    "currency": "VARCHAR",
    "currency_conversion_rate": "VARCHAR",
    "usage": "JSON",
    "credits": "JSON",
    "invoice": "JSON",
    "cost_type": "VARCHAR",
    "adjustment_info": "JSON",
    "cost_at_list": "VARCHAR",
}
"""The columns that a charge is made from, with the types in which text formats are read.

Numbers are read as text, so that `0.1` stays exactly that and NUMERIC may be quoted or not."""

TAG_COLUMNS: Final[Mapping[str, str]] = {"labels": "JSON", "tags": "JSON", "resource": "JSON"}
"""Further columns, read only where labels, tags or names of resources are kept."""

LEAVES: Final[Mapping[str, str]] = {
    "service.id": "VARCHAR",
    "service.description": "VARCHAR",
    "sku.id": "VARCHAR",
    "sku.description": "VARCHAR",
    "project.id": "VARCHAR",
    "project.labels": "JSON",
    "resource.name": "VARCHAR",
    "location.location": "VARCHAR",
    "location.region": "VARCHAR",
    "usage.amount": "VARCHAR",
    "usage.unit": "VARCHAR",
    "invoice.month": "VARCHAR",
    "adjustment_info.id": "VARCHAR",
    "adjustment_info.type": "VARCHAR",
}
"""Fields of nested columns, which a flattened export has as columns of their own."""

_NEEDED: Final = ("cost", "usage_start_time", "export_time")
_NAMING: Final = ("service", "sku", "project")
_OF_CREDITS: Final = re.compile(r"(?:.*_)?credits?(?:_.*)?")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def canonical(name: str) -> str:
    """Return the name by which columns are compared."""
    return re.sub(r"[^0-9a-z]+", "_", _CAMEL.sub("_", name).lower()).strip("_")


def found_columns(names: Iterable[str]) -> set[str]:
    """Return which of EXPORT_COLUMNS are among the names of a file's columns, nested or flattened."""
    present = {canonical(name) for name in names}
    found = {name for name in EXPORT_COLUMNS if name in present}
    return found | {leaf.partition(".")[0] for leaf in LEAVES if canonical(leaf) in present}


def refusal(names: Collection[str]) -> str | None:
    """Return why a file with these columns cannot be read as a billing export; None where it can.

    Without cost or times there is no charge; without service, SKU and project it would belong to nothing.
    """
    found = found_columns(names)
    missing = [name for name in _NEEDED if name not in found]
    if not found & set(_NAMING):
        missing += [f"{name} (or {name}.id)" for name in _NAMING]
    if missing:
        shown = ", ".join(list(names)[:8]) or "no columns"
        return f"not a billing export: it lacks {', '.join(missing)}; it has {shown}"
    unnested = sorted(name for name in names if _OF_CREDITS.fullmatch(canonical(name)))
    if unnested and "credits" not in found:
        return (
            f"its credits are columns of their own ({', '.join(unnested[:4])}): a row with two credits may "
            "be there twice, and its cost count twice; export `credits` as one column, of JSON text in CSV"
        )
    return None


def _parted_by(separator: str) -> tuple[Callable[[str], str], Callable[[str], str]]:
    return (
        lambda leaf: leaf.replace(".", separator),
        lambda leaf: leaf.replace(".", separator).upper(),
    )


def _in_camel_case(leaf: str) -> str:
    first, *words = re.split("[._]", leaf)
    return first + "".join(word.capitalize() for word in words)


_STYLES: Final[tuple[Callable[[str], str], ...]] = (
    *(style for separator in (".", "_", "__", ":", "/", " ", "-", "->") for style in _parted_by(separator)),
    _in_camel_case,
    lambda leaf: leaf.replace(".", "[") + "]",
)
"""How tools write the key of a leaf."""


def json_columns(keys: Collection[str], *, tags: bool) -> dict[str, str]:
    """Return the keys to read of JSON rows, with the types to read them as.

    `keys` are those of the first rows. BigQuery leaves out what is null, so later rows may have others: all
    columns of the export are read, and where a leaf is flattened, all leaves that are flattened alike.
    """
    wanted = {**EXPORT_COLUMNS, **(TAG_COLUMNS if tags else {})}
    spelled = {canonical(key): key for key in keys}
    columns = {spelled.get(name, name): kind for name, kind in wanted.items()}
    leaves = {leaf: kind for leaf, kind in LEAVES.items() if tags or kind != "JSON"}
    flattened = {leaf for leaf in leaves if canonical(leaf) in spelled}
    for leaf in flattened:
        columns[spelled[canonical(leaf)]] = leaves[leaf]
        parent = leaf.partition(".")[0]
        if parent not in spelled:
            columns.pop(parent, None)
    for style in _STYLES:
        alike = {leaf: style(leaf) for leaf in leaves}
        if any(alike[leaf] in keys for leaf in flattened):
            for leaf, key in alike.items():
                if leaf.partition(".")[0] not in spelled and leaf not in flattened:
                    columns[key] = leaves[leaf]
                    columns.pop(leaf.partition(".")[0], None)
            break
    return columns
