"""Metric families to bytes: Prometheus text format 0.0.4 and OpenMetrics 1.0, plain and gzip.

Rendered once per snapshot, and only what changed; a scrape returns these bytes. Sample lines are the same in
both formats, but OpenMetrics also has when each counter was created, right after its sample: there Prometheus
looks for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

from exporter.metrics.exposition import gzip_member
from exporter.metrics.exposition.label_texts import LabelTexts, escape_quoted, well_formed
from exporter.metrics.exposition.state import state_of
from exporter.metrics.families import Family, FamilySamples

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED_LABEL: Final = "quantile"
"""The formats reserve this label for summaries, which have a count and a sum. A gauge with quantiles has
neither, so it is exposed without a type: that is correct, and linters accept it."""

_CHUNK_SAMPLES: Final = 1024
"""Samples that are joined and encoded at once: so few that other threads never wait long."""

Sample = tuple[tuple[str, ...], float]
Buffer = bytes | memoryview

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
    """One gzip member of `text`, made by gzip_member.assembled, so that it can be extended."""
    openmetrics_gzip: bytes
    """The same of `openmetrics`."""


class Renderer:
    """Renders one state after the other; what has not changed since the last one is taken from it."""

    def __init__(self) -> None:
        # The parts are by name, in the order of the last exposition.
        self._last, self._parts = _joined([])

    def render(self, families: Iterable[FamilySamples]) -> Exposition:
        """Render families in both formats; a family without samples is left out.

        Raises ValueError where the formats would be broken: a family or label name that is not allowed or
        occurs twice, a unit that the name does not end with, a wrong number of label values, the same label
        values twice in one family, a counter that is negative or NaN.
        """
        label_texts: dict[tuple[str, ...], LabelTexts] = {}
        seen: set[str] = set()
        rendered: list[tuple[Family, bytes, _Piece]] = []
        for each in families:
            family = each.family
            _check_family(family, seen)
            family_samples = replace(each, samples=list(each.samples))
            state = state_of(family_samples)
            part = self._parts.get(family.name)
            if part is not None and (part.family, part.state) == (family, state):
                rendered.append((family, state, part.piece(self._last)))
            elif family_samples.samples:
                texts = label_texts.setdefault(family.labels, LabelTexts(family.labels))
                rendered.append((family, state, _rendered(family_samples, texts)))
        names = [family.name for family, _, _ in rendered]
        if names != list(self._parts) or any(not piece.kept for _, _, piece in rendered):
            self._last, self._parts = _joined(rendered)
        return self._last


def render(families: Iterable[FamilySamples]) -> Exposition:
    """Render families, as a Renderer does that has rendered nothing before."""
    return Renderer().render(families)


class _Piece(NamedTuple):
    """One family, rendered: the bytes of an Exposition's four parts, the last two without head and end."""

    parts: tuple[Buffer, Buffer, Buffer, Buffer]
    kept: bool
    """Whether it is from the last exposition."""


class _Part(NamedTuple):
    """Where a family is in an exposition, and the state that it shows."""

    family: Family
    state: bytes
    spans: tuple[tuple[int, int], ...]

    def piece(self, exposition: Exposition) -> _Piece:
        wholes = (
            exposition.text,
            exposition.openmetrics,
            exposition.text_gzip,
            exposition.openmetrics_gzip,
        )
        one, two, three, four = (
            memoryview(whole)[begin:end] for whole, (begin, end) in zip(wholes, self.spans, strict=True)
        )
        return _Piece((one, two, three, four), kept=True)


def _rendered(family_samples: FamilySamples, texts: LabelTexts) -> _Piece:
    family = family_samples.family
    text, openmetrics = [_text_header(family)], [_openmetrics_header(family)]
    try:
        for lines, created_lines in _sample_lines(family_samples, texts):
            text.append(lines)
            openmetrics.append(created_lines)
    except ValueError as error:
        raise ValueError(f"{family.name}: {error}") from error
    # Joining bytes and compressing release the interpreter for other threads; growing a buffer would not.
    plain, open_plain = b"".join(text), b"".join(openmetrics)
    packed = (gzip_member.deflated(plain), gzip_member.deflated(open_plain))
    return _Piece((plain, open_plain, *packed), kept=False)


def _joined(rendered: list[tuple[Family, bytes, _Piece]]) -> tuple[Exposition, dict[str, _Part]]:
    """Return all pieces as one exposition, and where each is in it."""
    ends = [0, 0, gzip_member.HEAD_BYTES, gzip_member.HEAD_BYTES]
    parts: dict[str, _Part] = {}
    for family, state, piece in rendered:
        begins = list(ends)
        ends = [end + memoryview(part).nbytes for end, part in zip(ends, piece.parts, strict=True)]
        parts[family.name] = _Part(family, state, tuple(zip(begins, ends, strict=True)))
    text = b"".join(piece.parts[0] for _, _, piece in rendered)
    openmetrics = b"".join(piece.parts[1] for _, _, piece in rendered)
    exposition = Exposition(
        text=text,
        openmetrics=openmetrics,
        text_gzip=gzip_member.assembled([piece.parts[2] for _, _, piece in rendered], text),
        openmetrics_gzip=gzip_member.assembled([piece.parts[3] for _, _, piece in rendered], openmetrics),
    )
    return exposition, parts


def timed_openmetrics(family: Family, samples: Iterable[TimedSample]) -> Iterator[bytes]:
    """Yield a whole OpenMetrics document of one family whose samples have times, in chunks of lines.

    The format requires the samples of a series together and in the order of time. Raises ValueError for a
    family or label values that would break it.
    """
    _check_family(family, set())
    texts = LabelTexts(family.labels)
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


def _sample_lines(family_samples: FamilySamples, label_texts: LabelTexts) -> Iterator[tuple[bytes, bytes]]:
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
    text = well_formed(family.help).replace("\\", r"\\").replace("\n", r"\n")
    kind = "untyped" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {kind}\n".encode()


def _openmetrics_header(family: Family) -> bytes:
    name = _openmetrics_name(family)
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    kind = "unknown" if _RESERVED_LABEL in family.labels else family.type
    return f"# HELP {name} {escape_quoted(family.help)}\n# TYPE {name} {kind}\n{unit}".encode()


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
