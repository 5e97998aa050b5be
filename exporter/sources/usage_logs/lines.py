"""One line of an LLM usage log: a call, in flat keys named by the OpenTelemetry GenAI conventions.

A line that cannot be used says why: it is set aside and counted by that reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, LARGEST_PLAUSIBLE
from exporter.core.providers import provider_label
from exporter.sources.llm.tokens import Tokens

REASONS: Final[Mapping[str, str]] = {
    "bad_json": "not a JSON object on one line",
    "missing_field": "timestamp, gen_ai.provider.name, gen_ai.request.model or gen_ai.response.model, and "
    "tokens or cost_usd are needed",
    "bad_name": "the provider, the model and service.name are texts of 256 characters at most",
    "bad_timestamp": "timestamp is not RFC 3339 with an offset, such as 2026-11-20T12:00:00Z, or before 2015",
    "future_timestamp": "timestamp is more than a day ahead: check the clock of the machine that wrote it",
    "bad_tokens": "a token count is no whole number, or absurdly large",
    "negative_tokens": "a token count is below zero",
    "cache_exceeds_input": "more tokens from and to the cache than gen_ai.usage.input_tokens, which has to "
    "include them",
    "bad_cost": "cost_usd is no number, below zero or absurdly large",
    "line_too_long": "longer than any call's line; something else was written to the file",
}
"""Why lines are set aside, and what to do about it."""

_LONGEST_NAME: Final = 256
_MOST_TOKENS: Final = 10**12


class UnusableLineError(Exception):
    """A line that says nothing that can be counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: {REASONS[reason]}")
        self.reason = reason
        """One of REASONS."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model."""

    provider: str
    """Label value of `provider`: whose bill it is on."""
    model: str
    """As the provider reported it, or else as it was asked for."""
    project_id: str
    """What service.name says of the caller, or empty."""
    at: datetime
    tokens: Tokens
    cost_usd: Decimal | None
    """What the log says it cost."""


def read_call(line: bytes, latest_plausible: datetime) -> Call:
    """Read one line without its newline. Raises UnusableLineError."""
    said = _json_object(line)
    provider = _name(said, "gen_ai.provider.name", "gen_ai.system")
    model = _name(said, "gen_ai.response.model", "gen_ai.request.model")
    at = _moment(said.get("timestamp"), latest_plausible)
    cost_usd = _cost(said.get("cost_usd"))
    if not provider or not model or (_no_tokens(said) and cost_usd is None):
        raise UnusableLineError("missing_field")
    return Call(provider_label(provider), model, _name(said, "service.name"), at, _tokens(said), cost_usd)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        said = _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise UnusableLineError("bad_json") from None
    if not isinstance(said, dict):
        raise UnusableLineError("bad_json")
    return said


def _name(said: Mapping[str, Any], *keys: str) -> str:
    """Return the first of some texts that is there and not empty."""
    for key in keys:
        value = said.get(key)
        if value is None or value == "":
            continue
        # A lone surrogate is a text in JSON but in no encoding.
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not _encodable(value):
            raise UnusableLineError("bad_name")
        if value.strip():
            return value.strip()
    return ""


def _encodable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text))


def _moment(value: object, latest_plausible: datetime) -> datetime:
    if value is None:
        raise UnusableLineError("missing_field")
    try:
        # RFC 3339 allows lower-case letters, which Python does not.
        at = datetime.fromisoformat(value.upper()) if isinstance(value, str) else None
        if at is None or at.tzinfo is None or at < EARLIEST_PLAUSIBLE:
            raise UnusableLineError("bad_timestamp")
    except (ValueError, OverflowError):
        raise UnusableLineError("bad_timestamp") from None
    if at > latest_plausible:
        raise UnusableLineError("future_timestamp")
    return at


def _no_tokens(said: Mapping[str, Any]) -> bool:
    return said.get("gen_ai.usage.input_tokens") is None and said.get("gen_ai.usage.output_tokens") is None


def _tokens(said: Mapping[str, Any]) -> Tokens:
    """Return disjoint counts: in the log, what concerns the cache is a part of the input."""
    all_input = _count(said.get("gen_ai.usage.input_tokens"))
    cache_read = _count(said.get("gen_ai.usage.cache_read.input_tokens"))
    cache_write = _count(said.get("gen_ai.usage.cache_creation.input_tokens"))
    output = _count(said.get("gen_ai.usage.output_tokens"))
    if cache_read + cache_write > all_input:
        raise UnusableLineError("cache_exceeds_input")
    return Tokens(all_input - cache_read - cache_write, cache_read, cache_write, output)


def _count(value: object) -> int:
    number = _number(value, "bad_tokens")
    if number < 0:
        raise UnusableLineError("negative_tokens")
    if number >= _MOST_TOKENS or number != int(number):
        raise UnusableLineError("bad_tokens")
    return int(number)


def _cost(value: object) -> Decimal | None:
    if value is None:
        return None
    usd = _number(value, "bad_cost")
    if usd < 0 or usd >= LARGEST_PLAUSIBLE:
        raise UnusableLineError("bad_cost")
    return usd


def _number(value: object, otherwise: str) -> Decimal:
    """Return a number, also one written as a text, as exporters of 64-bit integers do; nothing is 0."""
    if value is None:
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise UnusableLineError(otherwise)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnusableLineError(otherwise) from None
    # Exponents beyond these are no amounts, and would take an age to write out.
    if not number.is_finite() or not -60 <= number.adjusted() <= 60:
        raise UnusableLineError(otherwise)
    return number
