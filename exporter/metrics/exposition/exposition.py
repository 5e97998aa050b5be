"""Metric families to bytes: Prometheus text format 0.0.4 and OpenMetrics 1.0, plain and gzip.

Rendered once per snapshot; a scrape returns these bytes. Sample lines are the same in both formats, but
OpenMetrics also has when each counter was created, right after its sample: there Prometheus looks for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from exporter.metrics.exposition import gzip_member
from exporter.metrics.families import Family, FamilySamples

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED_LABEL: Final = "quantile"
"""The formats reserve this label for summaries, which have a count and a sum. A gauge with quantiles has
neither, so it is exposed without a type: that is correct, and linters accept it."""

_CHUNK_SAMPLES: Final = 1024
"""Samples that are joined and encoded at once: so few that other threads never wait long."""

Sample = tuple[tuple[str, ...], float]
TimedSample = tuple[tuple[str, ...], float, int]
"""Label values, value, and time in seconds since 1970."""


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
    """Render families in both formats; a family without samples is left out.

    Raises ValueError where the formats would be broken: a family or label name that is not allowed or
    occurs twice, a unit that the name does not end with, a wrong number of label values, the same label
    values twice in one family, a counter that is negative or NaN.
    """
    text: list[bytes] = []
    openmetrics: list[bytes] = []
    label_texts: dict[tuple[str, ...], _LabelTexts] = {}
    seen: set[str] = set()
    for family_samples in families:
        family = family_samples.family
        _check_family(family, seen)
        texts = label_texts.setdefault(family.labels, _LabelTexts(family.labels))
        header_due = True
        try:
            for lines, created_lines in _sample_lines(family_samples, texts):
                if header_due:
                    text.append(_text_header(family))
                    openmetrics.append(_openmetrics_header(family))
                    header_due = False
                text.append(lines)
                openmetrics.append(created_lines)
        except ValueError as error:
            raise ValueError(f"{family.name}: {error}") from error
    # Joining bytes and compressing release the interpreter for other threads; growing a buffer would not.
    text_bytes, openmetrics_bytes = b"".join(text), b"".join(openmetrics)
    return Exposition(
        text=text_bytes,
        openmetrics=openmetrics_bytes,
        text_gzip=gzip_member.compress(text_bytes),
        openmetrics_gzip=gzip_member.compress(openmetrics_bytes),
    )


def timed_openmetrics(family: Family, samples: Iterable[TimedSample]) -> Iterator[bytes]:
    """Yield a whole OpenMetrics document of one family whose samples have times, in chunks of lines.

    The format requires the samples of a series together and in the order of time. Raises ValueError for a
    family or label values that would break it.
    """
    _check_family(family, set())
    texts = _LabelTexts(family.labels)
    yield _openmetrics_header(family)
    remaining = iter(samples)
    while chunk := list(islice(remaining, _CHUNK_SAMPLES)):
        lines = [
            f"{family.name}{texts[values]} {format_value(value)} {seconds}\n"
            for values, value, seconds in chunk
        ]
        yield "".join(lines).encode()
    yield b"# EOF\n"


def format_value(value: float) -> str:
    """Return the shortest decimal that reads back as the same float; whole numbers without a point."""
    text = repr(float(value))
    if text.endswith(".0"):
        return text[:-2]
    if math.isfinite(value):
        return text
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


class _LabelTexts(dict[tuple[str, ...], str]):
    """From label values to `{name="value",…}`, built when the values first occur.

    Families with the same labels share one, because most of them have the same series.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self._labels = labels
        self._template = "{" + ",".join(f'{name}="%s"' for name in labels) + "}" if labels else ""
        self._quotes = 2 * len(labels)
        self._escaped: dict[str, str] = {}

    def __missing__(self, values: tuple[str, ...]) -> str:
        if len(values) != len(self._labels):
            raise ValueError(f"label values {values!r} for the labels {self._labels!r}")
        text = self._template % values
        if not text.isascii() or "\\" in text or "\n" in text or text.count('"') != self._quotes:
            text = self._template % tuple([self._escape(value) for value in values])
        self[values] = text
        return text

    def _escape(self, value: str) -> str:
        escaped = self._escaped.get(value)
        if escaped is None:
            escaped = self._escaped[value] = _escape_quoted(value)
        return escaped


def _sample_lines(family_samples: FamilySamples, label_texts: _LabelTexts) -> Iterator[tuple[bytes, bytes]]:
    """Yield the family's sample lines in both formats, a chunk of them at a time."""
    family, created = family_samples.family, family_samples.created or {}
    name, is_counter = family.name, family.type == "counter"
    seen: dict[str, None] = {}
    remaining = iter(family_samples.samples)
    while chunk := list(islice(remaining, _CHUNK_SAMPLES)):
        texts = [label_texts[values] for values, _ in chunk]
        seen_before = len(seen)
        seen.update(dict.fromkeys(texts))
        if len(seen) != seen_before + len(texts):
            raise ValueError(f"the same labels twice: {_repeated(texts, islice(seen, seen_before))}")
        if is_counter:
            _check_counter(chunk)
        lines = [
            f"{name}{text} {format_value(value)}\n" for text, (_, value) in zip(texts, chunk, strict=True)
        ]
        encoded = "".join(lines).encode()
        if is_counter and created:
            yield encoded, _with_created(family, lines, texts, chunk, created)
        else:
            yield encoded, encoded


def _with_created(
    family: Family,
    lines: Iterable[str],
    texts: Iterable[str],
    samples: Iterable[Sample],
    created: Mapping[tuple[str, ...], float],
) -> bytes:
    """Return sample lines, each followed by the one that says when the counter was zero, if it is known."""
    name = f"{_openmetrics_name(family)}_created"
    both: list[str] = []
    for line, text, (values, _) in zip(lines, texts, samples, strict=True):
        both.append(line)
        since = created.get(values)
        if since is not None:
            both.append(f"{name}{text} {format_value(since)}\n")
    return "".join(both).encode()


def _check_counter(samples: Iterable[Sample]) -> None:
    for values, value in samples:
        if not value >= 0:
            raise ValueError(f"a counter cannot be {format_value(value)}, but it is for {values!r}")


def _repeated(texts: Iterable[str], earlier: Iterable[str]) -> str:
    """Return the first of the texts that is among the earlier ones or occurs twice."""
    met = set(earlier)
    for text in texts:
        if text in met:
            return text
        met.add(text)
    raise AssertionError("no text is repeated")


def _openmetrics_name(family: Family) -> str:
    return family.name.removesuffix("_total") if family.type == "counter" else family.name


def _text_header(family: Family) -> bytes:
    text = _well_formed(family.help).replace("\\", r"\\").replace("\n", r"\n")
    kind = "untyped" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {kind}\n".encode()


def _openmetrics_header(family: Family) -> bytes:
    name = _openmetrics_name(family)
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    kind = "unknown" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {name} {_escape_quoted(family.help)}\n# TYPE {name} {kind}\n{unit}".encode()


def _escape_quoted(value: str) -> str:
    return _well_formed(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _well_formed(value: str) -> str:
    """Return the value with lone surrogates, which UTF-8 cannot encode, as U+FFFD."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _check_family(family: Family, seen: set[str]) -> None:
    """Raise ValueError if the family cannot be in an exposition together with those named in `seen`."""
    name = _openmetrics_name(family)
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


NOTHING_RENDERED: Final = render(())
"""The rendering of no family."""
