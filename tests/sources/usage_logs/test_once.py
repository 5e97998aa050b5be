"""Usage logs that are rotated, copied, compressed, and read by processes that die: each line counts once."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.sources.base import RefreshTally, UsageAddition
from exporter.sources.usage_logs.source import UsageLogsSource
from tests.sources.usage_logs.log_world import LogWorld, call, text, unique
from tests.support import places

APP = "app.jsonl"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    made = LogWorld.at(tmp_path)
    yield made
    made.ledger.close()


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_log_rotated_and_compressed_between_two_refreshes_loses_nothing(world: LogWorld) -> None:
    world.append(APP, *map(unique, range(40)))
    world.refresh()
    world.append(APP, unique(40))
    world.path("app.jsonl.1.gz").write_bytes(gzip.compress(world.path(APP).read_bytes()))
    world.path(APP).unlink()
    world.append(APP, unique(41))
    world.restart()
    world.refresh()
    assert world.requests == 42.0


@pytest.mark.slow
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


@pytest.mark.parametrize("changed", [0, 19])
def test_a_log_that_was_written_anew_with_another_beginning_or_end_is_another_log(
    world: LogWorld, changed: int
) -> None:
    lines = list(map(unique, range(10, 30)))
    world.append(APP, *lines)
    world.refresh()
    lines[changed] = unique(99)
    world.path(APP).write_bytes(text(*lines, unique(50)))
    world.refresh()
    assert world.requests == 41.0


@pytest.mark.slow
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


@pytest.mark.slow
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


_READS_ON = """
import sys
from pathlib import Path
from tests.sources.usage_logs.log_world import LogWorld
folder = Path(sys.argv[1])
world = LogWorld.at(folder, ledger=folder / "spend.duckdb", batch_bytes=20_000)
print("ready", flush=True)
while world.refresh(stop_after=1):
    print("stored", flush=True)
print("done", flush=True)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_reads_counts_each_line_once(tmp_path: Path) -> None:
    world = LogWorld.at(tmp_path)
    world.append(APP, *map(unique, range(2000)))
    world.ledger.close()
    ends = []
    for lines_until_killed in (2, 5, 9, None):
        with subprocess.Popen(
            [sys.executable, "-c", _READS_ON, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=places.REPOSITORY,
        ) as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout):
                if number == lines_until_killed:
                    process.kill()
                    break
                ends.append(line.strip())
    assert ends.count("done") == 1
    world = LogWorld.at(tmp_path, ledger=tmp_path / "spend.duckdb")
    assert world.requests == 2000.0
    assert world.sums()["llm_tokens",] == sum(1000 + number + 500 for number in range(2000))
    world.ledger.close()


def test_what_could_not_be_stored_is_read_again(world: LogWorld) -> None:
    world.append(APP, unique(1), unique(2))
    context = world.intake.context(world.source, RefreshTally(), lambda: False)
    (lost,) = world.source.refresh(context)
    assert isinstance(lost, UsageAddition)
    lost.points.unlink()
    world.refresh()
    assert world.requests == 2.0


@pytest.mark.slow
def test_a_big_log_comes_in_portions_and_ends_early_when_the_process_stops(world: LogWorld) -> None:
    world.source.batch_bytes = 1000
    world.append(APP, *map(unique, range(100)))
    told: list[str] = []
    stopping = [False]
    context = world.intake.context(world.source, RefreshTally(progress=told.append), lambda: stopping[0])
    for number, change in enumerate(world.source.refresh(context)):
        world.intake.store(world.source, change, context.latest_plausible)
        stopping[0] = number == 3
    assert 0 < world.requests < 100
    assert told
    world.refresh()
    assert world.requests == 100.0


@pytest.mark.slow
def test_marks_of_logs_long_gone_are_forgotten(world: LogWorld) -> None:
    world.source.gone_remembered = 2
    for number in range(6):
        world.append(APP, unique(number))
        world.refresh()
        world.path(APP).unlink()
    world.append(APP, unique(7))
    world.refresh()
    known = world.intake.context(world.source, RefreshTally(), lambda: False).known
    assert len(known) == 3
    assert world.requests == 7.0


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


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
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


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
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
    world = LogWorld.at(folder)
    context = world.intake.context(world.source, RefreshTally(), lambda: False)
    world.ledger.close()
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
    for change in source.refresh(context):
        assert isinstance(change, UsageAddition)
        rows += change.rows
        for each in change.rejected:
            refused[each.reason] = refused.get(each.reason, 0) + each.count
    assert rows == lines.count("call")
    expected = {"line_too_long": lines.count("long"), "bad_json": lines.count("bad")}
    assert refused == {reason: count for reason, count in expected.items() if count}
