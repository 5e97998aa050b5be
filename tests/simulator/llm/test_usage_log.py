"""The demo world's usage log: each call once, in the file of its day, whatever ended the writing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.google.world import World
from exporter.simulator.llm.calls import GEMINI_MODEL, Calls
from exporter.simulator.llm.company import WORKLOADS
from exporter.simulator.llm.prices import billed_usd
from exporter.simulator.llm.usage import LlmUsage
from exporter.simulator.llm.usage_log import UsageLog

NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
MODELS = {workload.model for workload in WORKLOADS if workload.logged}


@cache
def calls() -> Calls:
    return Calls(LlmUsage.ending_at(NOW, seed=4), World.ending_at(NOW, seed=4))


@cache
def small_calls() -> Calls:
    """Without Google Cloud, whose use is worked out more slowly."""
    return Calls(LlmUsage.ending_at(NOW, seed=4))


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def records(folder: Path) -> list[dict[str, Any]]:
    lines = b"".join(read(folder).values()).splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


@pytest.mark.slow
def test_the_lines_sum_to_what_the_world_used(tmp_path: Path) -> None:
    UsageLog(calls(), tmp_path, past=2 * DAY).write_until(TODAY)
    reported: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records(tmp_path):
        cached = record.get("gen_ai.usage.cache_read.input_tokens", 0)
        assert cached <= record["gen_ai.usage.input_tokens"]
        reported[record["gen_ai.response.model"]].update(
            requests=1,
            input=record["gen_ai.usage.input_tokens"] - cached,
            cache_read=cached,
            output=record["gen_ai.usage.output_tokens"],
        )
    true: dict[str, Counter[str]] = defaultdict(Counter)
    usage = LlmUsage.ending_at(NOW, seed=4)
    hours = range(int((TODAY - 2 * DAY).timestamp()) // 3600, int(TODAY.timestamp()) // 3600)
    for hour in hours:
        for use in usage.uses(hour):
            if use.workload.logged:
                true[use.workload.model].update(requests=use.requests, **use.amounts)
    assert {model: +reported[model] for model in MODELS} == dict(true)
    google: Counter[str] = Counter()
    world = World.ending_at(NOW, seed=4)
    for hour in hours:
        for meter, each in world.uses(hour):
            if meter.project.id == "northwind-assistant" and meter.line.sku.startswith("flash-"):
                google[meter.line.sku] += round(each.amount)
    for kind, sku in (("input", "flash-in"), ("cache_read", "flash-cached"), ("output", "flash-out")):
        assert reported[GEMINI_MODEL][kind] == pytest.approx(google[sku] / 100, rel=0.01)


@pytest.mark.slow
def test_a_line_is_one_call_in_the_words_of_open_telemetry(tmp_path: Path) -> None:
    UsageLog(calls(), tmp_path).write_until(NOW)
    found = records(tmp_path)
    assert 3000 < len(found) < 12_000
    assert len({record["gen_ai.response.id"] for record in found}) == len(found)
    assert {record["gen_ai.provider.name"] for record in found} == {"mistral_ai", "openai", "gcp.vertex_ai"}
    times = [datetime.fromisoformat(record["timestamp"]) for record in found]
    assert all(time.utcoffset() == timedelta(0) for time in times)
    assert max(times) < NOW
    assert min(times) >= TODAY - 5 * DAY
    for name, text in read(tmp_path).items():
        in_file = [json.loads(line)["timestamp"] for line in text.splitlines()]
        assert in_file == sorted(in_file)
        day = "2026-11-20" if name == "calls.jsonl" else name.removeprefix("calls-").removesuffix(".jsonl")
        assert {time[:10] for time in in_file} == {day}


def test_a_cost_that_is_logged_is_what_the_contract_says(tmp_path: Path) -> None:
    UsageLog(small_calls(), tmp_path, past=timedelta(0)).write_until(NOW)
    priced = [record for record in records(tmp_path) if "cost_usd" in record]
    assert {record["gen_ai.response.model"] for record in priced} == {"mistral-medium-2508"}
    for record in priced:
        tokens = {
            "input": record["gen_ai.usage.input_tokens"],
            "output": record["gen_ai.usage.output_tokens"],
        }
        cost = billed_usd("mistral", "mistral-medium-2508", tokens, batch=False)  # type: ignore[arg-type]
        assert record["cost_usd"] == sum(cost.values())


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 30 * 3600), st.booleans(), st.integers(0, 200)), max_size=5),
)
def test_each_call_is_written_once_however_often_the_writer_ends(steps: list[tuple[int, bool, int]]) -> None:
    """After a step the writer may be another one, and with the first the end of the file may be lost."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        stepwise, at_once = Path(one), Path(other)
        now = TODAY - 2 * DAY + timedelta(hours=20)
        log = UsageLog(small_calls(), stepwise, past=DAY)
        log.write_until(now)
        for seconds, dies, lost in steps:
            now += timedelta(seconds=seconds)
            log.write_until(now)
            current = stepwise / "calls.jsonl"
            if dies:
                log = UsageLog(small_calls(), stepwise, past=DAY)
                if current.exists():
                    with current.open("r+b") as file:
                        file.truncate(max(0, current.stat().st_size - lost))
        log.write_until(now)
        first = UsageLog(small_calls(), at_once, past=DAY)
        first.write_until(TODAY - 2 * DAY + timedelta(hours=20))
        first.write_until(now)
        assert read(stepwise) == read(at_once)


def test_what_is_written_twice_up_to_the_same_moment_adds_nothing(tmp_path: Path) -> None:
    log = UsageLog(small_calls(), tmp_path, past=DAY)
    assert log.write_until(NOW) > 0
    before = read(tmp_path)
    assert log.write_until(NOW) == 0
    assert UsageLog(small_calls(), tmp_path, past=DAY).write_until(NOW) == 0
    assert log.write_until(NOW - timedelta(hours=1)) == 0
    assert log.write_until(NOW) == 0
    assert read(tmp_path) == before


@pytest.mark.slow
def test_a_day_that_is_over_gets_a_file_of_its_own_and_old_ones_go(tmp_path: Path) -> None:
    log = UsageLog(small_calls(), tmp_path, past=DAY, keep=2 * DAY)
    log.write_until(TODAY - timedelta(minutes=1))
    inode = (tmp_path / "calls.jsonl").stat().st_ino
    log.write_until(TODAY)
    assert sorted(read(tmp_path)) == ["calls-2026-11-18.jsonl", "calls-2026-11-19.jsonl"]
    assert (tmp_path / "calls-2026-11-19.jsonl").stat().st_ino == inode
    UsageLog(small_calls(), tmp_path, past=DAY, keep=2 * DAY).write_until(TODAY + DAY + timedelta(hours=12))
    assert sorted(read(tmp_path)) == ["calls-2026-11-19.jsonl", "calls-2026-11-20.jsonl", "calls.jsonl"]


def test_a_folder_that_is_gone_is_reported_and_taken_up_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    log = UsageLog(small_calls(), folder, past=DAY)
    with pytest.raises(FileNotFoundError, match="logs"):
        log.write_until(NOW)
    folder.mkdir()
    assert log.write_until(NOW) > 0
