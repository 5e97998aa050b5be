"""Writes the usage log of the demo world's applications: JSON Lines, one call a line, one file a UTC day.

The files themselves show how far they are written, so that each call is written once, also after a crash.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from exporter.simulator.llm.calls import Call, Calls
from exporter.simulator.llm.prices import INPUT_TOKENS
from exporter.simulator.moment import from_microseconds, to_microseconds

_MICROSECONDS_PER_DAY: Final = 86_400_000_000

_Position = tuple[int, str]
"""Time and id of a call (an empty id comes before all): it and every earlier one is in the files."""


class UsageLog:
    """A log in an existing folder: `calls.jsonl` is written to, `calls-2026-11-20.jsonl` is a past day.

    The attribute names are OpenTelemetry's for generative AI, as flat keys.
    """

    def __init__(
        self,
        calls: Calls,
        folder: Path,
        past: timedelta = timedelta(days=5),
        keep: timedelta = timedelta(days=14),
    ) -> None:
        """A new log begins `past` before it is first written to; days that ended `keep` ago are deleted."""
        self._calls = calls
        self._folder = folder
        self._current = folder / "calls.jsonl"
        self._past = past
        self._keep = keep
        self._written: _Position | None = None

    def write_until(self, until: datetime) -> int:
        """Append the calls that ended before `until` and are not in the files yet; return their number.

        Raises OSError if a file cannot be written; the next call continues after what was written.
        """
        end = to_microseconds(until)
        written = self._written or self._resume(end)
        self._written = None
        lines = 0
        while written[0] < end:
            day_end = (written[0] // _MICROSECONDS_PER_DAY + 1) * _MICROSECONDS_PER_DAY
            calls = self._calls.between(written[0], min(end, day_end))
            lines += self._append([call for call in calls if (call.microseconds, call.id) > written])
            if day_end <= end:
                self._rotate(_day(written[0]))
            written = (min(end, day_end), "")
        self._written = written
        self._delete_old(until)
        return lines

    def _append(self, calls: list[Call]) -> int:
        if calls:
            with self._current.open("ab") as file:
                file.write(b"".join(_line(call) for call in calls))
        return len(calls)

    def _rotate(self, day: str) -> None:
        if self._current.exists():
            self._current.rename(self._folder / f"calls-{day}.jsonl")

    def _resume(self, end: int) -> _Position:
        """Find how far the files are written, and cut off a line that was not ended."""
        last = self._last_written()
        if last is not None:
            return last
        days = [path.stem.removeprefix("calls-") for path in self._folder.glob("calls-*.jsonl")]
        if days:
            last_day = datetime.fromisoformat(max(days)).replace(tzinfo=UTC)
            return to_microseconds(last_day) + _MICROSECONDS_PER_DAY, ""
        begin = end - self._past // timedelta(microseconds=1)
        return begin // _MICROSECONDS_PER_DAY * _MICROSECONDS_PER_DAY, ""

    def _last_written(self) -> _Position | None:
        try:
            text = self._current.read_bytes()
        except FileNotFoundError:
            return None
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            with self._current.open("r+b") as file:
                file.truncate(len(whole))
        if not whole:
            return None
        last = json.loads(whole.splitlines()[-1])
        return to_microseconds(datetime.fromisoformat(last["timestamp"])), last["gen_ai.response.id"]

    def _delete_old(self, now: datetime) -> None:
        oldest = _day(to_microseconds(now - self._keep))
        for path in self._folder.glob("calls-*.jsonl"):
            if path.stem.removeprefix("calls-") < oldest:
                path.unlink()


def _line(call: Call) -> bytes:
    tokens = call.tokens
    record: dict[str, Any] = {
        "timestamp": f"{from_microseconds(call.microseconds):%Y-%m-%dT%H:%M:%S.%fZ}",
        "service.name": call.service,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.model,
        "gen_ai.response.id": call.id,
        "gen_ai.usage.input_tokens": sum(tokens.get(kind, 0) for kind in INPUT_TOKENS),
        "gen_ai.usage.output_tokens": tokens.get("output", 0),
    }
    if "cache_read" in tokens:
        record["gen_ai.usage.cache_read.input_tokens"] = tokens["cache_read"]
    if "cache_write" in tokens:
        record["gen_ai.usage.cache_creation.input_tokens"] = tokens["cache_write"]
    if call.cost_usd is not None:
        record["cost_usd"] = float(call.cost_usd)
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _day(microseconds: int) -> str:
    return f"{from_microseconds(microseconds):%Y-%m-%d}"
