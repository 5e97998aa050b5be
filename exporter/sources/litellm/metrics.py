"""Reads what a LiteLLM proxy counts at /metrics: the increase of its counters since the last reading.

Counters live in the proxy's process, so each process is remembered by itself, by the time it started: a
restart begins at zero, and replicas behind one address do not look like restarts of one another.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.core.errors import SourceError
from exporter.sources.base import Rejected
from exporter.sources.litellm.usage import (
    CACHE_READ,
    CACHE_WRITE,
    INPUT,
    LARGEST,
    OUTPUT,
    REQUESTS,
    USD,
    Amounts,
    Caller,
    add,
    provider_name,
    without_cache,
)

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

PATH: Final = "/metrics/"
"""With the slash: without it the proxy redirects."""

_COUNTERS: Final = {
    "litellm_spend_metric_total": USD,
    "litellm_requests_metric_total": REQUESTS,
    "litellm_input_tokens_metric_total": INPUT,
    "litellm_output_tokens_metric_total": OUTPUT,
    "litellm_input_cached_tokens_metric_total": CACHE_READ,
    "litellm_input_cache_creation_tokens_metric_total": CACHE_WRITE,
}
_CREATED: Final = {name.removesuffix("_total") + "_created": name for name in _COUNTERS}
_STARTED: Final = "process_start_time_seconds"
_READ: Final = tuple(f"{name}{end}" for name in (*_COUNTERS, *_CREATED, _STARTED) for end in ("{", " "))
_PROCESS_KEPT: Final = timedelta(days=7)
"""How long a process that does not answer is remembered, and how old one may be that is counted from its
start when it is first seen: a proxy may have restarted between two readings."""
_START_IS_EARLY_BY: Final = 1.0
"""Seconds: the client library adds to the time of boot, of which the kernel leaves the fraction out. A proxy
takes longer than that to start, so none that started within it had answered before our first reading."""
_NOT_REPORTED: Final = "None"

Values = dict[str, float]
"""Counter by a digest of its name, labels and time of creation: no key or user goes into the ledger."""


@dataclass(slots=True)
class Seen:
    """What the last reading left behind; kept as JSON in the cursor."""

    began: float
    """Unix time of the first reading: what was counted before is not used."""
    processes: dict[str, Values] = field(default_factory=dict)
    """By start time; the empty string where the proxy does not report it."""
    last_seen: dict[str, float] = field(default_factory=dict)
    """Unix time at which each process last answered."""
    teams: set[str] = field(default_factory=set)

    def to_json(self) -> str:
        """Compact, and the same for the same content."""
        content = {
            "began": self.began,
            "processes": self.processes,
            "last_seen": self.last_seen,
            "teams": sorted(self.teams),
        }
        return json.dumps(content, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Seen:
        """Read what to_json wrote. Raises ValueError."""
        try:
            content = json.loads(text)
            return cls(
                began=float(content["began"]),
                processes={
                    name: {key: float(value) for key, value in values.items()}
                    for name, values in content["processes"].items()
                },
                last_seen={name: float(value) for name, value in content["last_seen"].items()},
                teams=set(content["teams"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a state of LiteLLM's counters: {error}") from error


@dataclass(frozen=True, slots=True)
class Increase:
    """What one reading adds."""

    amounts: Mapping[Caller, Amounts]
    """Only what is new, input without cached tokens; nothing at the first reading."""
    callers: frozenset[Caller]
    """All that the proxy reports, whether anything is new or not."""
    seen: Seen
    rejected: tuple[Rejected, ...] = ()


def read_increase(text: str, before: Seen | None, now: datetime) -> Increase:
    """Return what the counters in `text` have risen by since `before`. Raises SourceError."""
    samples = _samples(text)
    moment = now.timestamp()
    started = next((sample.value for sample in samples if sample.name == _STARTED), None)
    process = "" if started is None else repr(started)
    seen = _carried_on(before, moment)
    counts_from_zero = before is not None and (
        process in before.processes or (started is not None and started >= _oldest_start(before, moment))
    )
    # Also what the proxy does not report this time: it would be counted twice when it comes back.
    values = dict(seen.processes.get(process, {}))
    amounts: dict[Caller, Amounts] = defaultdict(dict)
    callers, rejected = set(), 0
    for digest, sample in _counters(samples):
        # A whole number may have more digits than any float.
        if not 0 <= sample.value < LARGEST:
            rejected += 1
            continue
        caller = _caller(sample.labels)
        callers.add(caller)
        last = values.get(digest, 0.0)
        values[digest] = sample.value
        if counts_from_zero:
            risen = sample.value - last if sample.value >= last else sample.value
            # The shortest decimal of a counter is what the proxy shows; the rest is the sum's noise.
            add(amounts[caller], {_COUNTERS[sample.name]: Decimal(repr(risen))})
    for each in amounts.values():
        without_cache(each)
    seen.processes[process] = values
    seen.last_seen[process] = moment
    seen.teams |= {caller.team for caller in callers}
    detail = f"{rejected} counters are not numbers; they are read again at the next refresh"
    aside = (Rejected("bad_amount", rejected, PATH, detail),) if rejected else ()
    return Increase(amounts, frozenset(callers), seen, aside)


def _oldest_start(before: Seen, moment: float) -> float:
    """Return the earliest start of a new process that counts from zero: it began after our first reading."""
    return max(before.began - _START_IS_EARLY_BY, moment - _PROCESS_KEPT.total_seconds())


def _carried_on(before: Seen | None, moment: float) -> Seen:
    """Copy the state, without processes that are gone for long."""
    if before is None:
        return Seen(began=moment)
    recent = {
        name for name, last in before.last_seen.items() if last > moment - _PROCESS_KEPT.total_seconds()
    }
    return Seen(
        began=before.began,
        processes={name: dict(values) for name, values in before.processes.items() if name in recent},
        last_seen={name: last for name, last in before.last_seen.items() if name in recent},
        teams=set(before.teams),
    )


def _samples(text: str) -> list[Sample]:
    """Parse only the lines that are needed: latency histograms are most of the page."""
    # Loads the client library, which only this source needs.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    if "litellm_spend_metric" not in text:
        what = (
            "a web page came"
            if text.lstrip()[:1] == "<"
            else "litellm_spend_metric is missing: the proxy's configuration needs "
            '`litellm_settings: {callbacks: ["prometheus"]}`'
        )
        raise SourceError("bad_response", f"LiteLLM: {PATH} cannot be used: {what}")
    wanted = "\n".join(line for line in text.split("\n") if line.startswith(_READ))
    try:
        families = list(text_string_to_metric_families(wanted + "\n"))
    except (ValueError, IndexError, KeyError) as error:
        raise SourceError(
            "bad_response", f"LiteLLM: {PATH} is not in the format of Prometheus: {str(error)[:200]}"
        ) from error
    return [sample for family in families for sample in family.samples]


def _counters(samples: Iterable[Sample]) -> Iterator[tuple[str, Sample]]:
    """Yield each counter that is of use, with its digest."""
    created = {
        (_CREATED[sample.name], *sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name in _CREATED
    }
    for sample in samples:
        if sample.name in _COUNTERS:
            key = (sample.name, *sorted(sample.labels.items()))
            yield _digest(repr((key, created.get(key)))), sample


def _digest(text: str) -> str:
    hashed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    return base64.b85encode(hashed).decode("ascii")


def _caller(labels: Mapping[str, str]) -> Caller:
    def reported(name: str) -> str:
        value = labels.get(name, "")
        return "" if value == _NOT_REPORTED else value

    model = reported("model")
    return Caller(
        provider=provider_name(reported("api_provider"), model),
        team=reported("team_alias") or reported("team"),
        key_alias=reported("api_key_alias"),
        model=model,
    )
