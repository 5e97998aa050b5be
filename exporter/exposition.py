"""Metric families to bytes: Prometheus text format 0.0.4 and OpenMetrics 1.0, plain and gzip.

Rendered once per snapshot; a scrape hands out what is here. Sample lines are the same in both formats.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from exporter import gzip_member
from exporter.metrics import Family, FamilySamples

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_CHUNK_SAMPLES: Final = 1024
"""Samples joined and encoded at once: few enough that other threads never wait long for the interpreter."""

Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Exposition:
    """One rendering of all families. Neither format has its `# EOF` line yet, so that more may follow."""

    text: bytes
    """Text format 0.0.4."""
    openmetrics: bytes
    """OpenMetrics 1.0."""
    text_gzip: bytes
    """One gzip member of `text`, made by gzip_member.compress, so that it can be extended."""
    openmetrics_gzip: bytes
    """The same of `openmetrics`."""


def render(families: Iterable[FamilySamples]) -> Exposition:
    """Render families in both formats; a family without samples is left out wholly.

    Raises ValueError where the formats would be broken: a family or label name that is not allowed or
    occurs twice, a unit that the name does not end with, a wrong number of label values, the same label
    values twice in one family, a counter that is negative or NaN.
    """
    text, openmetrics = io.BytesIO(), io.BytesIO()
    labels = _LabelTexts()
    seen: set[str] = set()
    for family_samples in families:
        family = family_samples.family
        _check_family(family, seen)
        for number, lines in enumerate(_sample_lines(family, family_samples.samples, labels)):
            if number == 0:
                text.write(_text_header(family))
                openmetrics.write(_openmetrics_header(family))
            text.write(lines)
            openmetrics.write(lines)
    text_bytes, openmetrics_bytes = text.getvalue(), openmetrics.getvalue()
    return Exposition(
        text=text_bytes,
        openmetrics=openmetrics_bytes,
        text_gzip=gzip_member.compress(text_bytes),
        openmetrics_gzip=gzip_member.compress(openmetrics_bytes),
    )


def format_value(value: float) -> str:
    """Return the shortest decimal that reads back as the same float; whole numbers without a point."""
    text = repr(float(value))
    if text.endswith(".0"):
        return text[:-2]
    if math.isfinite(value):
        return text
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


class _LabelTexts:
    """Label parts of sample lines, built once for all families with the same labels and values."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, ...], dict[tuple[str, ...], str]] = {}
        self._escaped: dict[str, str] = {}

    def of(self, family: Family) -> dict[tuple[str, ...], str]:
        """Return the cache for the family's label names: from label values to text."""
        return self._texts.setdefault(family.labels, {})

    def build(self, family: Family, template: str, values: tuple[str, ...]) -> str:
        """Return `{name="value",…}` for one sample."""
        if len(values) != len(family.labels):
            raise ValueError(
                f"{family.name}: {len(values)} label values {values!r} for the {len(family.labels)} labels "
                f"{', '.join(family.labels)}"
            )
        text = template % values
        quotes = 2 * len(values)
        if text.isascii() and text.count('"') == quotes and "\\" not in text and "\n" not in text:
            return text
        return template % tuple([self._escape(value) for value in values])

    def _escape(self, value: str) -> str:
        escaped = self._escaped.get(value)
        if escaped is None:
            escaped = self._escaped[value] = _escape_quoted(value)
        return escaped


def _sample_lines(family: Family, samples: Iterable[Sample], labels: _LabelTexts) -> Iterator[bytes]:
    """Yield the family's sample lines, a chunk of them at a time."""
    cache = labels.of(family)
    template = "{" + ",".join(f'{name}="%s"' for name in family.labels) + "}" if family.labels else ""
    name, is_counter = family.name, family.type == "counter"
    seen: set[str] = set()
    count = 0
    remaining = iter(samples)
    while chunk := list(islice(remaining, _CHUNK_SAMPLES)):
        texts, lines = [], []
        for values, value in chunk:
            text = cache.get(values)
            if text is None:
                text = cache[values] = labels.build(family, template, values)
            if is_counter and not value >= 0:
                raise ValueError(f"{name}{text}: a counter cannot be {format_value(value)}")
            texts.append(text)
            lines.append(f"{name}{text} {format_value(value)}\n")
        seen.update(texts)
        count += len(chunk)
        if len(seen) != count:
            raise ValueError(f"{name}: the same labels twice: {_first_repeated(texts, seen)}")
        yield "".join(lines).encode()


def _first_repeated(texts: list[str], seen: set[str]) -> str:
    """Return a label text that occurs twice in the chunk or, failing that, one shared with earlier chunks."""
    met: set[str] = set()
    for text in texts:
        if text in met:
            return text
        met.add(text)
    return next(text for text in texts if text in seen)


def _openmetrics_name(family: Family) -> str:
    return family.name.removesuffix("_total") if family.type == "counter" else family.name


def _text_header(family: Family) -> bytes:
    text = _well_formed(family.help).replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.type}\n".encode()


def _openmetrics_header(family: Family) -> bytes:
    name = _openmetrics_name(family)
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {_escape_quoted(family.help)}\n# TYPE {name} {family.type}\n{unit}".encode()


def _escape_quoted(value: str) -> str:
    return _well_formed(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _well_formed(value: str) -> str:
    """Return the value with lone surrogates, which UTF-8 cannot carry, as U+FFFD."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _check_family(family: Family, seen: set[str]) -> None:
    """Raise ValueError if the family cannot be in an exposition beside those named in `seen`."""
    name = _openmetrics_name(family)
    if not _METRIC_NAME.fullmatch(family.name):
        raise ValueError(f"{family.name!r} is not a metric name")
    if (family.type == "counter") != family.name.endswith("_total"):
        raise ValueError(f"{family.name} is a {family.type}: counters, and only they, end with _total")
    if family.unit and not name.endswith(f"_{family.unit}"):
        raise ValueError(f"{family.name} does not end with its unit {family.unit!r}")
    if name in seen:
        raise ValueError(f"{family.name}: a family of that name is already there")
    seen.add(name)
    for label in family.labels:
        if not _LABEL_NAME.fullmatch(label):
            raise ValueError(f"{family.name}: {label!r} is not a label name")
    if len(set(family.labels)) != len(family.labels):
        raise ValueError(f"{family.name}: a label name occurs twice: {', '.join(family.labels)}")
