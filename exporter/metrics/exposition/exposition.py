"""Metric families to bytes: Prometheus text format 0.0.4 and OpenMetrics 1.0, plain and gzip.

Rendered once per snapshot, and only what changed; a scrape returns these bytes. Sample lines are the same in
both formats, but OpenMetrics also has when each counter was created, right after its sample: there Prometheus
looks for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

from exporter.metrics.exposition import gzip_member
from exporter.metrics.exposition.family_texts import (
    check_family,
    openmetrics_header,
    openmetrics_name,
    text_header,
)
from exporter.metrics.exposition.kept_bytes import HeapBytes, KeptBytes, NewBytes
from exporter.metrics.exposition.label_texts import LabelTexts
from exporter.metrics.exposition.state import state_of
from exporter.metrics.families import Family, FamilySamples

_CHUNK_SAMPLES: Final = 1024
"""Samples that are joined and encoded at once: so few that other threads never wait long."""

Sample = tuple[tuple[str, ...], float]

TimedSample = tuple[tuple[str, ...], float, int]
"""Label values, value, and time in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """One rendering of all families. Neither format has its `# EOF` line yet, so that more may follow.

    Each property returns all its bytes: a copy, where they are not of this process.
    """

    parts: tuple[KeptBytes, KeptBytes, KeptBytes, KeptBytes]
    """Text, OpenMetrics, and each of them as gzip."""

    @property
    def text(self) -> bytes:
        """Text format 0.0.4."""
        return self.parts[0].read()

    @property
    def openmetrics(self) -> bytes:
        """OpenMetrics 1.0."""
        return self.parts[1].read()

    @property
    def text_gzip(self) -> bytes:
        """One gzip member of `text`, which gzip_member can extend."""
        return self.parts[2].read()

    @property
    def openmetrics_gzip(self) -> bytes:
        """The same of `openmetrics`."""
        return self.parts[3].read()


class Renderer:
    """Renders one state after the other; what has not changed since the last one is taken from it."""

    def __init__(self, new_bytes: NewBytes = HeapBytes) -> None:
        """`new_bytes` makes a place for the bytes of each format."""
        self._new_bytes = new_bytes
        self._last = _Writing(new_bytes).written()
        self._parts: dict[str, _Part] = {}
        """By name, in the order of the last exposition."""

    def render(self, families: Iterable[FamilySamples]) -> Exposition:
        """Render families in both formats; a family without samples is left out.

        Raises ValueError where the formats would be broken: a family or label name that is not allowed or
        occurs twice, a unit that the name does not end with, a wrong number of label values, the same label
        values twice in one family, a counter that is negative or NaN. Raises OSError without memory.
        """
        label_texts: dict[tuple[str, ...], LabelTexts] = {}
        seen: set[str] = set()
        kept: list[_Part] = []
        """What stays as long as nothing has changed."""
        writing: _Writing | None = None
        for each in families:
            family = each.family
            check_family(family, seen)
            family_samples = replace(each, samples=list(each.samples))
            state = state_of(family_samples)
            part = self._parts.get(family.name)
            if part is not None and (part.family, part.state) == (family, state):
                if writing is None:
                    kept.append(part)
                else:
                    writing.copy(part, self._last)
            elif family_samples.samples:
                if writing is None:
                    writing = self._written_so_far(kept)
                texts = label_texts.setdefault(family.labels, LabelTexts(family.labels))
                writing.add(family, state, _rendered(family_samples, texts))
        if writing is None and [part.family.name for part in kept] != list(self._parts):
            writing = self._written_so_far(kept)
        if writing is not None:
            self._last, self._parts = writing.written(), writing.parts
        return self._last

    def _written_so_far(self, kept: Iterable[_Part]) -> _Writing:
        writing = _Writing(self._new_bytes)
        for part in kept:
            writing.copy(part, self._last)
        return writing


def render(families: Iterable[FamilySamples]) -> Exposition:
    """Render families, as a Renderer does that has rendered nothing before."""
    return Renderer().render(families)


class _Part(NamedTuple):
    """Where a family is in an exposition, and the state that it shows."""

    family: Family
    state: bytes
    spans: tuple[tuple[int, int], ...]


class _Writing:
    """An exposition that grows by one family after the other, so that no other copy of it is needed."""

    def __init__(self, new_bytes: NewBytes) -> None:
        self._kept = (new_bytes(), new_bytes(), new_bytes(), new_bytes())
        for member in self._kept[2:]:
            member.append(gzip_member.HEAD)
        self.parts: dict[str, _Part] = {}

    def add(self, family: Family, state: bytes, pieces: Iterable[bytes]) -> None:
        """Write one family, rendered: text, OpenMetrics, and each of them deflated."""
        begins = [each.size for each in self._kept]
        for each, piece in zip(self._kept, pieces, strict=True):
            each.append(piece)
        self._note(family, state, begins)

    def copy(self, part: _Part, exposition: Exposition) -> None:
        """Write a family as an earlier exposition has it."""
        begins = [each.size for each in self._kept]
        for each, earlier, span in zip(self._kept, exposition.parts, part.spans, strict=True):
            for chunk in earlier.chunks(*span):
                each.append(chunk)
        self._note(part.family, part.state, begins)

    def written(self) -> Exposition:
        """End it."""
        text, openmetrics, *members = self._kept
        for member, plain in zip(members, (text, openmetrics), strict=True):
            member.append(gzip_member.end(plain.crc, plain.size))
        for each in self._kept:
            each.complete()
        return Exposition(self._kept)

    def _note(self, family: Family, state: bytes, begins: Iterable[int]) -> None:
        ends = [each.size for each in self._kept]
        self.parts[family.name] = _Part(family, state, tuple(zip(begins, ends, strict=True)))


def _rendered(family_samples: FamilySamples, texts: LabelTexts) -> Iterator[bytes]:
    """Yield a family as text, as OpenMetrics, and each of them deflated."""
    family = family_samples.family
    text, openmetrics = [text_header(family)], [openmetrics_header(family)]
    try:
        for lines, created_lines in _sample_lines(family_samples, texts):
            text.append(lines)
            openmetrics.append(created_lines)
    except ValueError as error:
        raise ValueError(f"{family.name}: {error}") from error
    # Joining bytes and compressing release the interpreter for other threads; growing a buffer would not.
    plain, open_plain = b"".join(text), b"".join(openmetrics)
    return iter((plain, open_plain, gzip_member.deflated(plain), gzip_member.deflated(open_plain)))


def timed_openmetrics(family: Family, samples: Iterable[TimedSample]) -> Iterator[bytes]:
    """Yield a whole OpenMetrics document of one family whose samples have times, in chunks of lines.

    The format requires the samples of a series together and in the order of time. Raises ValueError for a
    family or label values that would break it.
    """
    check_family(family, set())
    texts = LabelTexts(family.labels)
    yield openmetrics_header(family)
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
    name = f"{openmetrics_name(family)}_created"
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


NOTHING_RENDERED: Final = render(())
"""The rendering of no family."""
