"""Usage logs: each line counts once whatever happens to the files, and bad lines are named and left out."""

from __future__ import annotations

import gzip
import json
import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.sources.base import Finding, Meter, SourceError, UsageAddition
from exporter.sources.usage_logs import UsageLogsSource
from tests.sources.log_world import NOW, LogWorld, call, text

APP = "app.jsonl"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    made = LogWorld.at(tmp_path)
    yield made
    made.ledger.close()


def test_a_line_is_tokens_by_type_a_request_and_dollars_at_list_prices(world: LogWorld) -> None:
    world.append(
        APP,
        call(
            gen_ai__request__model="claude-sonnet-4-5",
            gen_ai__provider__name="anthropic",
            gen_ai__usage__input_tokens=10_000,
            gen_ai__usage__cache_read__input_tokens=6000,
            gen_ai__usage__cache_creation__input_tokens=1000,
            service__name="checkout",
        ),
    )
    assert world.refresh() == 1
    expected = {
        ("llm_requests", ""): 1.0,
        ("llm_tokens", "input"): 3000.0,
        ("llm_tokens", "cache_read"): 6000.0,
        ("llm_tokens", "cache_write"): 1000.0,
        ("llm_tokens", "output"): 500.0,
        ("llm_list_usd", "input"): 0.009,
        ("llm_list_usd", "cache_read"): 0.0018,
        ("llm_list_usd", "cache_write"): 0.00375,
        ("llm_list_usd", "output"): 0.0075,
    }
    assert world.sums("dimension") == expected
    named = world.sums("provider", "project_id", "resource", "hour")
    assert {key[1:] for key in named} == {
        ("anthropic", "checkout", "claude-sonnet-4-5", "2026-11-20 11:00:00+00:00")
    }


def test_lines_of_one_hour_from_two_files_add_up(world: LogWorld) -> None:
    world.append("a.jsonl", call(), call())
    world.append("b.jsonl", call(timestamp="2026-11-20T12:59:59.999999999+01:00"))
    world.refresh()
    assert world.sums("hour") == {
        ("llm_requests", "2026-11-20 11:00:00+00:00"): 3.0,
        ("llm_tokens", "2026-11-20 11:00:00+00:00"): 4500.0,
        ("llm_list_usd", "2026-11-20 11:00:00+00:00"): pytest.approx(0.0225),
    }


def test_a_cost_in_the_line_wins_over_the_list_price(world: LogWorld) -> None:
    world.append(APP, call(cost_usd=0.5), call(cost_usd="0.25"), call(cost_usd=0))
    world.append(APP, call(cost_usd=1, gen_ai__request__model="house-model"))
    only_cost: dict[str, Any] = {"gen_ai__usage__input_tokens": ..., "gen_ai__usage__output_tokens": ...}
    world.append(APP, call(cost_usd=1e-3, **only_cost))
    world.refresh()
    assert world.sums("dimension")["llm_list_usd", ""] == pytest.approx(1.751)
    assert {key for key in world.sums("dimension") if key[0] != "llm_tokens"} == {
        ("llm_list_usd", ""),
        ("llm_requests", ""),
    }


def test_tokens_of_a_model_nobody_knows_a_price_for_are_unpriced_and_never_free(world: LogWorld) -> None:
    world.append(APP, call(gen_ai__request__model="no-such-model"), call(gen_ai__provider__name="house"))
    world.refresh()
    assert world.sums("dimension") == {
        ("llm_requests", ""): 2.0,
        ("llm_tokens", "input"): 2000.0,
        ("llm_tokens", "output"): 1000.0,
        ("llm_unpriced_tokens", "input"): 2000.0,
        ("llm_unpriced_tokens", "output"): 1000.0,
    }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("gcp.vertex_ai", "gcp"),
        ("gcp.gemini", "gcp"),
        ("aws.bedrock", "aws"),
        ("azure.ai.openai", "azure"),
        ("mistral_ai", "mistral"),
        ("groq", "groq"),
        (" OpenAI ", "openai"),
    ],
)
def test_providers_are_called_as_on_their_bills(world: LogWorld, said: str, shown: str) -> None:
    world.append(APP, call(gen_ai__provider__name=said))
    world.refresh()
    assert world.sums("provider")["llm_requests", shown] == 1.0


def test_the_model_that_answered_counts_and_older_names_are_understood(world: LogWorld) -> None:
    answered = call(gen_ai__response__model="gpt-4o-2024-08-06")
    older = call(gen_ai__provider__name=..., gen_ai__system="openai", gen_ai__usage__input_tokens="1000")
    world.append(APP, answered, older)
    world.refresh()
    assert {key[1:] for key in world.sums("provider", "resource")} == {
        ("openai", "gpt-4o-2024-08-06"),
        ("openai", "gpt-4o"),
    }
    assert world.sums()["llm_tokens",] == 3000.0


BAD: list[tuple[str, str]] = [
    ("bad_json", "{"),
    ("bad_json", "[1, 2]"),
    ("bad_json", json.dumps(call(cost_usd=float("nan")))),
    ("bad_json", '{"a":' * 20_000 + "1" + "}" * 20_000),
    ("bad_json", json.dumps(call(gen_ai__usage__input_tokens=0)).replace(": 0", ": " + "9" * 5000)),
    ("missing_field", json.dumps(call(timestamp=...))),
    ("missing_field", json.dumps(call(gen_ai__provider__name=...))),
    ("missing_field", json.dumps(call(gen_ai__request__model=...))),
    ("missing_field", json.dumps(call(gen_ai__usage__input_tokens=..., gen_ai__usage__output_tokens=...))),
    ("bad_name", json.dumps(call(gen_ai__request__model=["gpt-4o"]))),
    ("bad_name", json.dumps(call(gen_ai__request__model="m" * 257))),
    ("bad_name", json.dumps(call(gen_ai__request__model="\ud800"))),
    ("bad_name", json.dumps(call(service__name="a\0b"))),
    ("bad_timestamp", json.dumps(call(timestamp="2026-11-20T11:30:00"))),
    ("bad_timestamp", json.dumps(call(timestamp="yesterday"))),
    ("bad_timestamp", json.dumps(call(timestamp=1795174200))),
    ("bad_timestamp", json.dumps(call(timestamp="1970-01-01T00:00:00Z"))),
    ("bad_timestamp", json.dumps(call(timestamp="0001-01-01T00:00:00+14:00"))),
    ("future_timestamp", json.dumps(call(timestamp="2026-11-22T11:30:00Z"))),
    ("negative_tokens", json.dumps(call(gen_ai__usage__output_tokens=-1))),
    ("bad_tokens", json.dumps(call(gen_ai__usage__output_tokens=1.5))),
    ("bad_tokens", json.dumps(call(gen_ai__usage__output_tokens=True))),
    ("bad_tokens", json.dumps(call(gen_ai__usage__output_tokens="many"))),
    ("bad_tokens", json.dumps(call(gen_ai__usage__output_tokens=10**12))),
    ("cache_exceeds_input", json.dumps(call(gen_ai__usage__cache_read__input_tokens=1001))),
    ("bad_cost", json.dumps(call(cost_usd=-0.01))),
    ("bad_cost", json.dumps(call(cost_usd="1e999999999"))),
    ("bad_cost", json.dumps(call(cost_usd="NaN"))),
    ("bad_cost", json.dumps(call(cost_usd=10**12))),
]


@pytest.mark.parametrize(("reason", "line"), BAD)
def test_a_bad_line_is_set_aside_with_its_place_and_its_neighbours_count(
    world: LogWorld, reason: str, line: str
) -> None:
    world.append(APP, call(), line, call())
    assert world.refresh() == 2
    (found,) = world.rejected
    assert (found.reason, found.count) == (reason, 1)
    assert found.place == f"{world.path(APP)} byte {len(text(call()))}"
    assert world.requests == 2.0
    assert world.refresh() == 0
    assert world.reasons == {reason: 1}


def test_bytes_that_are_no_text_and_empty_lines_and_holes_harm_nothing(world: LogWorld) -> None:
    world.path(APP).write_bytes(
        b"\xef\xbb\xbf" + text(call()) + b"\xff\xfe\n\n  \r\n" + b"\0" * 5000 + text(call())
    )
    assert world.refresh() == 2
    assert world.reasons == {"bad_json": 1}


def test_a_line_of_ten_megabytes_is_passed_over_in_bounded_memory(world: LogWorld) -> None:
    world.append(APP, call())
    with world.path(APP).open("ab") as handle:
        handle.write(b'{"prompt":"' + b"x" * 10_000_000 + b'"}\n' + text(call()))
    world.source.prices.price("openai", "gpt-4o", tokens_of_nothing(), NOW)
    tracemalloc.start()
    assert world.refresh() == 2
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000
    (found,) = world.rejected
    assert (found.reason, found.place) == ("line_too_long", f"{world.path(APP)} byte {len(text(call()))}")
    assert world.refresh() == 0


def tokens_of_nothing() -> Any:
    from exporter.sources.token_prices import Tokens

    return Tokens()


def test_a_long_line_that_has_no_end_yet_waits_for_it(world: LogWorld) -> None:
    world.source.longest_line_bytes = 1000
    world.source.chunk_bytes = 100
    world.append(APP, call())
    with world.path(APP).open("ab") as handle:
        handle.write(b"x" * 5000)
    assert (world.refresh(), world.refresh(), world.reasons) == (1, 0, {})
    with world.path(APP).open("ab") as handle:
        handle.write(b"x" * 5000 + b"\n" + text(call(), call()))
    assert (world.refresh(), world.reasons) == (2, {"line_too_long": 1})


def test_a_last_line_without_newline_waits(world: LogWorld) -> None:
    line = text(call())
    world.path(APP).write_bytes(line + line[:50])
    assert (world.refresh(), world.refresh()) == (1, 0)
    with world.path(APP).open("ab") as handle:
        handle.write(line[50:])
    assert (world.refresh(), world.refresh()) == (1, 0)
    assert world.requests == 2.0


def unique(number: int) -> dict[str, Any]:
    """A line that no other is equal to."""
    return call(trace=number, gen_ai__usage__input_tokens=1000 + number)


def test_a_rotated_file_is_read_to_its_end_and_not_again(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.refresh()
    world.append(APP, unique(2))
    world.path(APP).rename(world.path("app.jsonl.1"))
    world.append(APP, unique(3))
    world.refresh()
    world.restart()
    world.refresh()
    assert world.requests == 3.0


def test_a_log_that_was_copied_and_truncated_counts_once(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.refresh()
    world.append(APP, unique(2))
    shutil.copy(world.path(APP), world.path("app.jsonl.1"))
    world.refresh()
    assert world.requests == 2.0
    world.append(APP, unique(3))
    shutil.copy(world.path(APP), world.path("app.jsonl.1"))
    world.path(APP).write_bytes(b"")
    world.refresh()
    world.append(APP, unique(4), unique(5), unique(6), unique(7))
    world.refresh()
    world.restart()
    world.refresh()
    assert world.requests == 7.0


def test_a_copy_that_is_not_complete_yet_is_left_alone(world: LogWorld) -> None:
    world.append(APP, unique(1), unique(2))
    world.path("app.jsonl.1").write_bytes(text(unique(1)))
    world.refresh()
    world.append(APP, unique(3))
    world.refresh()
    assert world.requests == 3.0


def test_a_compressed_log_goes_on_where_the_plain_one_was(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.refresh()
    world.append(APP, unique(2))
    packed = world.path("app.jsonl.1.gz")
    packed.write_bytes(gzip.compress(world.path(APP).read_bytes()))
    assert world.refresh() == 1
    world.path(APP).unlink()
    world.append(APP, unique(3))
    assert (world.refresh(), world.refresh()) == (1, 0)
    world.restart()
    assert world.refresh() == 0
    assert world.requests == 3.0


def test_a_log_rotated_and_compressed_while_nobody_looked_loses_nothing(world: LogWorld) -> None:
    world.append(APP, *map(unique, range(40)))
    world.refresh()
    world.append(APP, unique(40))
    world.path("app.jsonl.1.gz").write_bytes(gzip.compress(world.path(APP).read_bytes()))
    world.path(APP).unlink()
    world.append(APP, unique(41))
    world.restart()
    world.refresh()
    assert world.requests == 42.0


def test_a_compressed_log_that_is_cut_off_gives_what_it_has_and_says_so(world: LogWorld) -> None:
    packed = gzip.compress(text(*map(unique, range(500))))
    path = world.path("app.jsonl.gz")
    path.write_bytes(packed[: len(packed) // 2])
    world.append(APP, unique(1000))
    world.refresh()
    some = world.requests
    assert 1 < some < 501
    assert [each.rejected.reason for each in world.unreadable] == ["unreadable_file"]
    assert world.refresh() == 0
    path.write_bytes(packed)
    world.refresh()
    assert world.requests == 501.0


def test_an_inode_that_was_given_to_another_file_is_read_from_its_start(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.refresh()
    # Written over in place, which keeps the inode, and longer than before.
    world.path(APP).write_bytes(text(unique(2), unique(3)))
    world.refresh()
    assert world.requests == 3.0


def test_what_was_counted_of_a_file_that_is_gone_stays_and_it_is_known_when_it_comes_back(
    world: LogWorld,
) -> None:
    world.append(APP, unique(1))
    world.append("other.jsonl", unique(2))
    world.refresh()
    kept = world.path(APP).read_bytes()
    world.path(APP).unlink()
    world.refresh()
    assert world.requests == 2.0
    world.path(APP).write_bytes(kept + text(unique(3)))
    world.refresh()
    assert world.requests == 3.0


def test_a_line_counts_once_however_many_patterns_and_links_lead_to_it(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.path("link.jsonl").symlink_to(world.path(APP))
    world.source.patterns = [str(world.path("*.jsonl")), str(world.path("app*"))]
    world.refresh()
    assert world.requests == 1.0


def test_a_refresh_that_died_after_the_ledgers_commit_repeats_nothing(tmp_path: Path) -> None:
    world = LogWorld.at(tmp_path, ledger=tmp_path / "spend.duckdb", batch_bytes=1000)
    world.append(APP, *map(unique, range(100)))
    for _ in range(3):
        world.refresh(stop_after=2)
        world.ledger.close()
        world = LogWorld.at(tmp_path, ledger=tmp_path / "spend.duckdb", batch_bytes=1000)
    assert 0 < world.requests < 100
    world.refresh()
    assert world.requests == 100.0
    assert world.refresh() == 0
    world.ledger.close()


def test_what_could_not_be_stored_is_read_again(world: LogWorld) -> None:
    world.append(APP, unique(1), unique(2))
    context = world.intake.context(world.source, Meter(), lambda: False)
    (lost,) = world.source.refresh(context)
    assert isinstance(lost, UsageAddition)
    lost.points.unlink()
    world.refresh()
    assert world.requests == 2.0


def test_a_big_log_comes_in_portions_and_ends_early_when_the_process_stops(world: LogWorld) -> None:
    world.source.batch_bytes = 1000
    world.append(APP, *map(unique, range(100)))
    told: list[str] = []
    stopping = [False]
    context = world.intake.context(world.source, Meter(progress=told.append), lambda: stopping[0])
    for number, change in enumerate(world.source.refresh(context)):
        world.intake.store(world.source, change, context.latest_plausible)
        stopping[0] = number == 3
    assert 0 < world.requests < 100
    assert told
    world.refresh()
    assert world.requests == 100.0


def test_lines_older_than_what_is_kept_are_passed_over(world: LogWorld) -> None:
    world.append(APP, call(timestamp="2025-01-01T00:00:00Z"), call())
    assert world.refresh() == 1
    assert world.rejected == []


def test_no_file_at_all_is_an_error_that_names_the_setting(world: LogWorld) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*: check llm\.usage_logs") as failure:
        world.refresh()
    assert failure.value.reason == "no_files"


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.path("broken.jsonl.gz").write_bytes(b"this was never compressed, whatever its name says, no\n" * 9)
    world.refresh()
    assert [each.partition for each in world.unreadable] == [str(world.path("broken.jsonl.gz"))]
    assert world.requests == 1.0
    world.path(APP).unlink()
    with pytest.raises(SourceError, match="could be read"):
        world.refresh()


def test_marks_of_logs_long_gone_are_forgotten(world: LogWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.sources.usage_logs._GONE_REMEMBERED", 2)
    for number in range(6):
        world.append(APP, unique(number))
        world.refresh()
        world.path(APP).unlink()
    world.append(APP, unique(7))
    world.refresh()
    known = world.intake.context(world.source, Meter(), lambda: False).known
    assert len(known) == 3
    assert world.requests == 7.0


def checked(world: LogWorld) -> list[Finding]:
    context = world.intake.context(world.source, Meter(), lambda: False)
    return list(world.source.check(context))


def test_a_check_tells_files_lines_and_models_without_a_price(world: LogWorld) -> None:
    world.append(APP, call(), call(gen_ai__request__model="no-such-model"), "{")
    found = {each.what: each for each in checked(world)}
    assert found["pattern"].detail.startswith(f"{world.path('*')}: 1 file, ")
    assert found["lines"].detail == "2 of 3 lines at the start of the newest file can be counted"
    assert found["lines set aside"].detail == "1 x bad_json; `serve` logs where"
    assert found["models without a price"].warning
    assert found["models without a price"].detail.startswith(
        "openai/no-such-model: nobody knows a list price"
    )
    assert all(each.ok for each in found.values())
    assert world.requests == 0.0


def test_a_check_finds_trouble(world: LogWorld) -> None:
    assert [(each.ok, each.what) for each in checked(world)] == [(True, "pattern"), (False, "usage logs")]
    world.append(APP, "nothing", "of use")
    assert (False, "lines") in [(each.ok, each.what) for each in checked(world)]
    world.path("broken.jsonl.gz").write_bytes(b"not compressed\n")
    assert (False, "unreadable file") in [(each.ok, each.what) for each in checked(world)]


models = st.sampled_from(["gpt-4o", "gpt-5.4", "no-such-model"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["a", "b"]), st.integers(1, 4), models),
        st.tuples(st.just("part"), st.sampled_from(["a", "b"]), st.integers(1, 1), models),
        st.tuples(
            st.sampled_from(["rename", "copytruncate", "compress", "truncate"]),
            st.sampled_from(["a", "b"]),
            st.just(0),
            st.just(""),
        ),
        st.tuples(st.sampled_from(["refresh", "die", "restart"]), st.just("a"), st.just(0), st.just("")),
    ),
    max_size=14,
)


class _Writer:
    """What writes the logs, and what it wrote."""

    def __init__(self, world: LogWorld) -> None:
        self._world = world
        self._number = 0
        self._rotated = 0
        self.tokens = 0
        self.requests = 0
        self.usd = Decimal(0)
        self._unfinished: dict[str, bytes] = {}

    def append(self, name: str, count: int, model: str) -> None:
        self.finish(name)
        for _ in range(count):
            self._write(name, self._line(model))

    def part(self, name: str, model: str) -> None:
        self.finish(name)
        line = self._line(model)
        self._write(name, line[:40])
        self._unfinished[name] = line[40:]

    def finish(self, name: str) -> None:
        self._write(name, self._unfinished.pop(name, b""))

    def rotate(self, how: str, name: str) -> None:
        path = self._world.path(name)
        if not path.exists():
            return
        self.finish(name)
        self._rotated += 1
        away = self._world.path(f"{name}.{self._rotated}")
        if how == "rename":
            path.rename(away)
        elif how == "compress":
            away.with_name(away.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        elif how == "copytruncate":
            shutil.copy(path, away)
            path.write_bytes(b"")
        else:
            # Nothing can be known of lines that were never seen.
            self._world.refresh()
            path.write_bytes(b"")

    def _line(self, model: str) -> bytes:
        self._number += 1
        tokens = 1000 + self._number * 37
        self.requests += 1
        self.tokens += tokens + 500
        usd_per_million = {"gpt-4o": (Decimal("2.5"), 10), "gpt-5.4": (Decimal("2.5"), 15)}.get(model)
        if usd_per_million is not None:
            self.usd += (usd_per_million[0] * tokens + usd_per_million[1] * 500) / 10**6
        return text(call(gen_ai__request__model=model, gen_ai__usage__input_tokens=tokens, n=self._number))

    def _write(self, name: str, data: bytes) -> None:
        with self._world.path(name).open("ab") as handle:
            handle.write(data)


@settings(max_examples=60, deadline=None)
@given(steps=steps, batch_bytes=st.sampled_from([1, 500, 10**6]), data=st.data())
def test_every_line_counts_once_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, int, str]],
    batch_bytes: int,
    data: st.DataObject,
) -> None:
    world = LogWorld.at(tmp_path_factory.mktemp("logs"), batch_bytes=batch_bytes)
    world.append("always", "")
    writer = _Writer(world)
    for step, name, count, model in steps:
        match step:
            case "append":
                writer.append(name, count, model)
            case "part":
                writer.part(name, model)
            case "refresh":
                world.refresh()
            case "die":
                world.refresh(stop_after=data.draw(st.integers(0, 3)))
                world.restart()
            case "restart":
                world.restart()
            case _:
                writer.rotate(step, name)
    for name in ("a", "b"):
        writer.finish(name)
    world.refresh()
    world.refresh()
    sums = world.sums()
    assert sums.get(("llm_requests",), 0.0) == writer.requests
    assert sums.get(("llm_tokens",), 0.0) == writer.tokens
    assert sums.get(("llm_list_usd",), 0.0) == pytest.approx(float(writer.usd), rel=1e-12)
    world.ledger.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunk_bytes=st.integers(1, 3000),
    batch_bytes=st.integers(1, 3000),
    lines=st.lists(st.sampled_from(["call", "long", "bad", "empty"]), max_size=12),
    packed=st.booleans(),
)
def test_sums_do_not_depend_on_the_size_of_what_is_read_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    chunk_bytes: int,
    batch_bytes: int,
    lines: list[str],
    packed: bool,
) -> None:
    kinds: dict[str, Any] = {"call": call(), "long": "y" * 700, "bad": "{", "empty": ""}
    folder = tmp_path_factory.mktemp("logs")
    context = LogWorld.at(folder).intake.context(UsageLogsSource(()), Meter(), lambda: False)
    written = text(*(kinds[kind] for kind in lines))
    name = "app.jsonl.gz" if packed else APP
    (folder / "llm" / name).write_bytes(gzip.compress(written) if packed else written)
    source = UsageLogsSource(
        (str(folder / "llm" / "*"),),
        batch_bytes=batch_bytes,
        chunk_bytes=chunk_bytes,
        longest_line_bytes=500,
    )
    rows = 0
    refused: dict[str, int] = {}
    for change in source.refresh(replace(context, latest_plausible=NOW + timedelta(days=1))):
        assert isinstance(change, UsageAddition)
        rows += change.rows
        for each in change.rejected:
            refused[each.reason] = refused.get(each.reason, 0) + each.count
    assert rows == lines.count("call")
    expected = {"line_too_long": lines.count("long"), "bad_json": lines.count("bad")}
    assert refused == {reason: count for reason, count in expected.items() if count}
