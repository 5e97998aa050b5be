"""Usage logs: each line counts once whatever happens to the files, and bad lines are named and left out."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pytest

from exporter.core.errors import SourceError
from exporter.sources.base import Finding, RefreshTally
from exporter.sources.llm.tokens import Tokens
from tests.sources.usage_logs.log_world import NOW, LogWorld, call, text, unique

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


def test_tokens_of_a_model_without_a_known_price_are_unpriced_and_never_free(world: LogWorld) -> None:
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


@pytest.mark.parametrize("reason", sorted({reason for reason, _ in BAD}))
def test_bad_lines_are_set_aside_with_their_place_and_their_neighbours_count(
    world: LogWorld, reason: str
) -> None:
    bad = [line for each, line in BAD if each == reason]
    world.append(APP, call(), *bad, call())
    assert world.refresh() == 2
    (found,) = world.rejected
    assert (found.reason, found.count) == (reason, len(bad))
    begins = accumulate((len(text(line)) for line in bad), initial=len(text(call())))
    first = ", ".join(str(each) for each in islice(begins, min(3, len(bad))))
    assert found.place == f"{world.path(APP)} byte {first}"
    assert world.requests == 2.0
    assert world.refresh() == 0
    assert world.reasons == {reason: len(bad)}


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
    world.source.prices.price("openai", "gpt-4o", Tokens(), NOW)
    world.source.longest_line_bytes = 1 << 20
    tracemalloc.start()
    assert world.refresh() == 2
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000
    (found,) = world.rejected
    assert (found.reason, found.place) == ("line_too_long", f"{world.path(APP)} byte {len(text(call()))}")
    world.append(APP, "{")
    assert world.refresh() == 0
    assert world.rejected[-1].place == f"{world.path(APP)} byte {world.path(APP).stat().st_size - 2}"


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


def test_lines_older_than_what_is_kept_are_passed_over(world: LogWorld) -> None:
    world.append(APP, call(timestamp="2025-01-01T00:00:00Z"), call())
    assert world.refresh() == 1
    assert world.rejected == []


def test_no_file_at_all_is_an_error_that_names_the_setting(world: LogWorld) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*: check llm\.usage_logs") as failure:
        world.refresh()
    assert failure.value.reason == "no_files"


def test_a_file_that_cannot_be_read_is_reported_and_the_others_are_read(world: LogWorld) -> None:
    world.append(APP, unique(1))
    world.path("broken.jsonl.gz").write_bytes(b"this was never compressed, whatever its name says, no\n" * 9)
    world.refresh()
    assert [each.partition for each in world.unreadable] == [str(world.path("broken.jsonl.gz"))]
    assert world.requests == 1.0
    world.path(APP).unlink()
    with pytest.raises(SourceError, match="could be read"):
        world.refresh()


def checked(world: LogWorld) -> list[Finding]:
    context = world.intake.context(world.source, RefreshTally(), lambda: False)
    return list(world.source.check(context))


def test_a_check_reports_files_lines_and_models_without_a_price(world: LogWorld) -> None:
    world.append(APP, call(), call(gen_ai__request__model="no-such-model"), "{")
    found = {each.what: each for each in checked(world)}
    assert found["pattern"].detail.startswith(f"{world.path('*')}: 1 file, ")
    assert found["lines"].detail == "2 of 3 lines at the start of the newest file can be counted"
    assert found["lines set aside"].detail.startswith("1 x bad_json: not a JSON object on one line; ")
    assert found["models without a price"].warning
    assert found["models without a price"].detail.startswith("openai/no-such-model: no list price is known")
    assert all(each.ok for each in found.values())
    assert world.requests == 0.0


def test_a_check_finds_trouble(world: LogWorld) -> None:
    assert [(each.ok, each.what) for each in checked(world)] == [(True, "pattern"), (False, "usage logs")]
    world.append(APP, "nothing", "of use")
    assert (False, "lines") in [(each.ok, each.what) for each in checked(world)]
    world.path("broken.jsonl.gz").write_bytes(b"not compressed\n")
    assert (False, "unreadable file") in [(each.ok, each.what) for each in checked(world)]
