"""What both formats say of a whole family before its samples, and which names neither of them allows."""

from __future__ import annotations

import re
from typing import Final

from exporter.metrics.exposition.label_texts import escape_quoted, well_formed
from exporter.metrics.families import Family

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED_LABEL: Final = "quantile"
"""The formats reserve this label for summaries, which have a count and a sum. A gauge with quantiles has
neither, so it is exposed without a type: that is correct, and linters accept it."""


def openmetrics_name(family: Family) -> str:
    """Return the name that OpenMetrics has for the family: without a counter's `_total`."""
    return family.name.removesuffix("_total") if family.type == "counter" else family.name


def text_header(family: Family) -> bytes:
    """Return the lines before the samples in the text format."""
    text = well_formed(family.help).replace("\\", r"\\").replace("\n", r"\n")
    kind = "untyped" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {kind}\n".encode()


def openmetrics_header(family: Family) -> bytes:
    """Return the lines before the samples in OpenMetrics."""
    name = openmetrics_name(family)
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    kind = "unknown" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {name} {escape_quoted(family.help)}\n# TYPE {name} {kind}\n{unit}".encode()


def check_family(family: Family, seen: set[str]) -> None:
    """Raise ValueError if the family cannot be in an exposition together with those named in `seen`."""
    name = openmetrics_name(family)
    if not _METRIC_NAME.fullmatch(family.name):
        raise ValueError(f"{family.name!r} is not a metric name")
    if (family.type == "counter") != family.name.endswith("_total"):
        raise ValueError(
            f"{family.name} is a {family.type}: only counters end with _total, and all of them do"
        )
    if family.unit and not name.endswith(f"_{family.unit}"):
        raise ValueError(f"{family.name} does not end with its unit {family.unit!r}")
    if name in seen:
        raise ValueError(f"{family.name}: there is already a family of that name")
    seen.add(name)
    for label in family.labels:
        if not _LABEL_NAME.fullmatch(label):
            raise ValueError(f"{family.name}: {label!r} is not a label name")
    if len(set(family.labels)) != len(family.labels):
        raise ValueError(f"{family.name}: a label name occurs twice: {', '.join(family.labels)}")
