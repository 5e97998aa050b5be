"""One line of an LLM usage log: a JSON object with one call, or with several spans.

What cannot be used is set aside and counted by its reason.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from exporter.sources.usage_logs.calls import Call, call_of
from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.shapes import flat_calls


@dataclass(slots=True)
class LineContent:
    """What one line has."""

    calls: list[Call] = field(default_factory=list)
    refused: list[UnusableLineError] = field(default_factory=list)
    costing_nothing: Counter[str] = field(default_factory=Counter)
    """Calls that failed, and spans that repeat the tokens of others."""


def plain_content(line: bytes) -> bytes:
    """Return a line without bytes that do not belong to it; empty where nothing else is left."""
    # A writer that does not append leaves a hole of zeros when its file is truncated under it.
    return line.lstrip(b"\0").removeprefix(b"\xef\xbb\xbf").strip()


def read_line(line: bytes, latest_plausible: datetime) -> LineContent:
    """Read one line without its newline."""
    content = LineContent()
    try:
        for flat in flat_calls(_json_object(line)):
            try:
                found = call_of(flat, latest_plausible)
            except UnusableLineError as error:
                content.refused.append(error)
                continue
            if isinstance(found, Call):
                content.calls.append(found)
            else:
                content.costing_nothing[found] += 1
    except UnusableLineError as error:
        content.refused.append(error)
    return content


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        read = _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise UnusableLineError("bad_json") from None
    if not isinstance(read, dict):
        raise UnusableLineError("bad_json")
    return read
