"""What a LiteLLM proxy attributes, read over a real socket into a real ledger, in good days and bad."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.errors import SourceError
from tests.fakes.litellm_proxy import ADMIN_KEY, USER_KEY, Fault, LiteLLMProxy, Row
from tests.sources.litellm.litellm_reading import NOW, Reading, reading
from tests.support import places

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SAMPLE = places.DATA / "litellm_metrics_sample.prom"
TODAY = NOW.date().isoformat()
YESTERDAY = (NOW - DAY).date().isoformat()
KEYS = {
    "hash-shop": {"key_alias": "checkout", "team_id": "team-1", "user_id": "ana@example.com"},
    "hash-search": {"key_alias": "search/prod", "team_id": "team-2"},
    "hash-loose": {},
}


def row(date: str = TODAY, key: str = "hash-shop", model: str = "gpt-4o", **changes: Any) -> Row:
    values: dict[str, Any] = {"custom_llm_provider": "openai", "spend": 0.5, "prompt_tokens": 100}
    return Row(date, key, model, **{**values, **changes})


@pytest.fixture
def proxy() -> Iterator[LiteLLMProxy]:
    teams: dict[str, str | None] = {"team-1": "shop", "team-2": None, "team-3": "a/b"}
    with LiteLLMProxy(keys=dict(KEYS), teams=teams) as running:
        yield running


@pytest.fixture
def reader(proxy: LiteLLMProxy, tmp_path: Path) -> Iterator[Reading]:
    with reading(tmp_path, proxy.url, ADMIN_KEY) as opened:
        yield opened


# Daily activity


def test_a_day_is_split_by_provider_team_key_alias_and_model(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.rows = [
        row(YESTERDAY, spend=1.25),
        row(key="hash-search", model="claude-sonnet-4-5", custom_llm_provider="anthropic", spend=0.1),
        row(key="hash-loose", model="gemini-2.5-pro", custom_llm_provider="vertex_ai", spend=0.2),
        # One model name with two providers, and twice with one, as of two users or endpoints.
        row(spend=0.3),
        row(spend=0.4),
        row(custom_llm_provider="azure", spend=0.7),
    ]
    reader.refresh()
    assert reader.used("llm_proxy_usd", day=YESTERDAY) == {("openai", "shop", "checkout", "gpt-4o"): 1.25}
    assert reader.used("llm_proxy_usd", day=TODAY) == pytest.approx(
        {
            ("anthropic", "team-2", "search/prod", "claude-sonnet-4-5"): 0.1,
            ("gcp", "", "", "gemini-2.5-pro"): 0.2,
            ("openai", "shop", "checkout", "gpt-4o"): 0.7,
            ("azure", "shop", "checkout", "gpt-4o"): 0.7,
        }
    )
    assert sum(reader.used("llm_proxy_requests").values()) == 6


@pytest.mark.slow
def test_a_proxy_with_one_provider_is_read_in_one_request_for_the_days(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.rows = [row(), row(model="o3", spend=0.25)]
    reader.refresh()
    proxy.requests.clear()
    reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {
        ("openai", "shop", "checkout", "gpt-4o"): 0.5,
        ("openai", "shop", "checkout", "o3"): 0.25,
    }
    (_, request) = proxy.requests
    assert f"start_date={(NOW - 2 * DAY).date()}&end_date={TODAY}" in request


def test_token_types_are_disjoint_and_sum_to_what_the_proxy_counts(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    cached = {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}
    proxy.rows = [
        Row(TODAY, "hash-shop", "gpt-4o", "openai", prompt_tokens=100, completion_tokens=7, **cached)
    ]
    reader.refresh()
    by_type = {
        kind: sum(reader.used("llm_proxy_tokens", kind).values())
        for kind in ("input", "output", "cache_read", "cache_write")
    }
    assert by_type == {"input": 10, "output": 7, "cache_read": 60, "cache_write": 30}


def test_cached_tokens_that_cannot_be_a_part_of_the_input_leave_it_alone(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.rows = [row(prompt_tokens=5, cache_read_input_tokens=60)]
    reader.refresh()
    assert sum(reader.used("llm_proxy_tokens", "input").values()) == 5


def test_spend_without_a_model_is_not_lost(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.rows = [row(), row(model="", custom_llm_provider="", spend=0.125)]
    reader.refresh()
    assert reader.used("llm_proxy_usd") == {
        ("openai", "shop", "checkout", "gpt-4o"): 0.5,
        ("unknown", "shop", "checkout", ""): 0.125,
    }


def test_no_key_hash_and_no_user_reaches_the_ledger(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.rows = [row(), row(key="hash-loose")]
    reader.refresh()
    with reader.ledger.reading() as connection:
        kept = str(connection.execute("SELECT * FROM usage_series").fetchall()) + str(reader.cursors)
    assert "hash-" not in kept
    assert "ana@example.com" not in kept


def test_days_read_again_are_replaced_and_older_ones_left(proxy: LiteLLMProxy, reader: Reading) -> None:
    old = (NOW - 3 * DAY).date().isoformat()
    proxy.rows = [row(old, spend=8.0), row(YESTERDAY, spend=4.0), row(spend=1.0)]
    reader.refresh()
    proxy.rows = [row(YESTERDAY, spend=5.0), row(spend=1.5)]
    reader.refresh(5 * MINUTE)
    (caller,) = reader.used("llm_proxy_usd")
    assert [reader.used("llm_proxy_usd", day=day)[caller] for day in (old, YESTERDAY, TODAY)] == [8, 5, 1.5]
    assert reader.counted("llm_proxy_usd") == 14.5


def test_an_amount_that_vanishes_is_taken_back_also_of_a_team_with_slashes(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.keys["hash-odd"] = {"team_id": "team-3"}
    proxy.rows = [row(key="hash-odd"), row()]
    reader.refresh()
    assert ("openai", "a/b", "", "gpt-4o") in reader.used("llm_proxy_usd")
    proxy.rows = [row()]
    reader.restart()
    reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {("openai", "shop", "checkout", "gpt-4o"): 0.5}


def test_a_deleted_team_keeps_its_alias(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.rows = [row()]
    reader.refresh()
    del proxy.teams["team-1"]
    reader.restart()
    reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {("openai", "shop", "checkout", "gpt-4o"): 0.5}


@pytest.mark.slow
def test_a_long_absence_is_caught_up_with(proxy: LiteLLMProxy, reader: Reading) -> None:
    reader.refresh()
    missed = [(NOW + days * DAY).date().isoformat() for days in range(1, 45)]
    proxy.rows = [row(day, spend=1.0) for day in missed]
    reader.restart()
    reader.refresh(44 * DAY)
    assert sum(reader.used("llm_proxy_usd").values()) == 44


@pytest.mark.slow
@pytest.mark.parametrize("largest_page", [1, 2, 3, 7])
def test_pages_of_any_size_tell_the_same(tmp_path: Path, largest_page: int) -> None:
    days = [(NOW - back * DAY).date().isoformat() for back in range(5)]
    rows = [
        row(day, key=key, model=model, custom_llm_provider=provider, spend=0.5 + number)
        for number, day in enumerate(days)
        for key in KEYS
        for model, provider in (("gpt-4o", "openai"), ("gpt-4o", "azure"), ("mistral/large", "mistral"))
    ]
    found = []
    for size in (1000, largest_page):
        with (
            LiteLLMProxy(rows, dict(KEYS), {"team-1": "shop"}, largest_page=size) as proxy,
            reading(tmp_path, proxy.url, ADMIN_KEY) as reader,
        ):
            reader.refresh()
            found.append(
                [
                    reader.used(meter, kind)
                    for meter, kind in (("llm_proxy_usd", ""), ("llm_proxy_requests", ""))
                ]
            )
    assert found[0] == found[1]
    assert sum(found[0][1].values()) == len(rows)


def test_a_day_whose_pages_shift_while_they_are_read_is_read_again(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.largest_page = 2
    proxy.rows = [row(model=f"model-{number}", spend=1.0) for number in range(4)]

    def insert(path: str) -> None:
        if "page=2" in path and len(proxy.rows) == 4:
            proxy.rows.insert(0, row(model="new", spend=1.0))

    proxy.before_answer = insert
    reader.refresh()
    assert set(reader.used("llm_proxy_usd").values()) == {1.0}
    assert len(reader.used("llm_proxy_usd")) == 5


def test_a_failure_in_the_middle_of_the_pages_is_tried_again(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.largest_page = 2
    proxy.rows = [row(model=f"model-{number}") for number in range(5)]
    proxy.faults = [Fault("page=2", 500), Fault("page=3", 429, headers={"Retry-After": "7"})]
    reader.refresh()
    assert len(reader.used("llm_proxy_usd")) == 5
    assert 7.0 in reader.slept


@pytest.mark.slow
def test_a_failure_that_stays_leaves_the_ledger_as_it_was(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.rows = [row()]
    reader.refresh()
    before = (reader.used("llm_proxy_usd"), reader.cursors)
    proxy.rows = [row(model=f"model-{number}") for number in range(5)]
    proxy.largest_page = 2
    proxy.faults = [Fault("page=2", 500, times=100)]
    with pytest.raises(SourceError, match="HTTP 500") as raised:
        reader.refresh(MINUTE)
    assert raised.value.reason == "unavailable"
    assert (reader.used("llm_proxy_usd"), reader.cursors) == before
    assert not any("/metrics" in path for path in proxy.requests), "the same usage would be counted twice"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html><body>Sign in</body></html>", "not JSON but a web page"),
        ('{"results": "none"}', "`results` is not a list"),
        ('{"results": [{"date": "someday"}]}', "'someday' is not a date"),
        ('{"results": [], "metadata": {"page": 7}}', "page 1 was requested and page 7 came"),
        (
            f'{{"results": [{{"date": "{TODAY}", "breakdown": {{"models": 3}}}}]}}',
            "`models` is not an object",
        ),
        ('{"results": [3]}', "a day is not an object"),
        ('{"results": [{"spend": NaN}]}', "not JSON"),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error_that_says_so(
    proxy: LiteLLMProxy, reader: Reading, body: str, said: str
) -> None:
    proxy.faults = [Fault("end_date.*page=1&", 200, body, times=9)]
    with pytest.raises(SourceError, match=said) as raised:
        reader.refresh()
    assert raised.value.reason == "bad_response"


@pytest.mark.parametrize("spend", ["0.5", True, -1.0, None])
def test_an_amount_that_is_none_is_set_aside_and_the_rest_is_taken(
    proxy: LiteLLMProxy, reader: Reading, spend: Any
) -> None:
    proxy.rows = [row(), row(key="hash-search", spend=0.25)]
    answer = proxy.activity({"start_date": TODAY, "end_date": TODAY})
    (day,) = answer["results"]
    day["breakdown"]["models"]["gpt-4o"]["api_key_breakdown"]["hash-shop"]["metrics"]["spend"] = spend
    day["breakdown"]["api_keys"]["hash-shop"]["metrics"]["spend"] = spend
    proxy.faults = [Fault(f"end_date={TODAY}&page=1&", 200, json.dumps(answer), times=100)]
    rejected = reader.refresh()
    assert {each.reason for each in rejected} == {"bad_amount"}
    assert reader.used("llm_proxy_usd") == {("openai", "team-2", "search/prod", "gpt-4o"): 0.25}


def test_a_key_that_is_not_accepted_is_an_error_that_names_the_setting_and_not_the_key(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    secret = "sk-wrong-0123456789abcdef"
    reader.restart(key=lambda: secret)
    with pytest.raises(SourceError, match=r"llm\.litellm\.key") as raised:
        reader.refresh()
    assert raised.value.reason == "unauthorized"
    assert secret not in str(raised.value)
    assert secret not in repr(reader.source)


def test_a_key_that_is_renewed_is_taken_up(proxy: LiteLLMProxy, reader: Reading) -> None:
    keys = ["sk-wrong-0123456789abcdef", ADMIN_KEY]
    reader.restart(key=lambda: keys[0])
    with pytest.raises(SourceError):
        reader.refresh()
    proxy.rows = [row()]
    keys.pop(0)
    reader.refresh()
    assert reader.used("llm_proxy_usd")


def test_a_users_key_in_place_of_the_admins_does_not_replace_the_whole_by_a_part(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.rows = [row()]
    reader.refresh()
    reader.restart(key=lambda: USER_KEY)
    proxy.rows = []
    with pytest.raises(SourceError, match="sees only one user") as raised:
        reader.refresh(MINUTE)
    assert raised.value.reason == "permission_denied"
    assert reader.used("llm_proxy_usd") == {SHOP: 0.5}


def test_a_proxy_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with reading(tmp_path, url, ADMIN_KEY) as reader, pytest.raises(SourceError) as raised:
            reader.refresh()
    assert raised.value.reason == "unavailable"


# The counters at /metrics


def page(
    *counters: tuple[str, str, float],
    started: float | None = NOW.timestamp() - 3600.0,
    created: float | None = None,
) -> str:
    """A page of metrics with (name, labels, value)."""
    lines = ["# HELP litellm_spend_metric_total Total spend", "# TYPE litellm_spend_metric_total counter"]
    if started is not None:
        lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {started!r}"]
    for name, labels, value in counters:
        lines.append(f"litellm_{name}_metric_total{{{labels}}} {value!r}")
        if created is not None:
            lines.append(f"litellm_{name}_metric_created{{{labels}}} {created!r}")
    return "\n".join([*lines, ""])


def labels(team: str = "team-1", alias: str = "shop", key: str = "checkout", **more: str) -> str:
    values = {
        "api_key_alias": key,
        "api_provider": "openai",
        "hashed_api_key": "3cfb91ad6ead66129518",
        "model": "gpt-4o",
        "team": team,
        "team_alias": alias,
        "user": "ana@example.com",
        **more,
    }
    return ",".join(f'{name}="{value}"' for name, value in values.items())


SHOP = ("openai", "shop", "checkout", "gpt-4o")


@pytest.fixture
def counting(proxy: LiteLLMProxy, reader: Reading) -> Callable[..., dict[tuple[str, str, str, str], float]]:
    """Put a page up, read it five minutes later, and tell the dollars there are."""
    proxy.database = False

    def count(*counters: tuple[str, str, float], **changes: Any) -> dict[tuple[str, str, str, str], float]:
        proxy.metrics = page(*counters, **changes)
        reader.refresh(5 * MINUTE)
        return reader.used("llm_proxy_usd")

    return count


Counting = Callable[..., dict[tuple[str, str, str, str], float]]


@pytest.mark.slow
def test_the_past_of_a_proxy_seen_for_the_first_time_is_not_counted(counting: Counting) -> None:
    assert counting(("spend", labels(), 10.0)) == {}
    assert counting(("spend", labels(), 10.5)) == {SHOP: 0.5}
    assert counting(("spend", labels(), 10.5)) == {SHOP: 0.5}


def test_a_series_that_appears_later_is_counted_from_its_beginning(counting: Counting) -> None:
    counting(("spend", labels(), 10.0))
    new = ("spend", labels(team="None", alias="None", key="None", model="gpt-4o-mini"), 0.25)
    assert counting(("spend", labels(), 10.0), new) == {("openai", "", "", "gpt-4o-mini"): 0.25}


@pytest.mark.parametrize("created", [None, NOW.timestamp() - 60.0])
def test_a_fall_is_a_reset_after_which_all_is_new(counting: Counting, created: float | None) -> None:
    first = None if created is None else created - 5000.0
    counting(("spend", labels(), 10.0), started=None, created=first)
    assert counting(("spend", labels(), 0.25), started=None, created=created) == {SHOP: 0.25}


def test_a_restart_is_seen_although_no_counter_fell(counting: Counting) -> None:
    counting(("spend", labels(), 1.0))
    assert counting(("spend", labels(), 3.0), started=NOW.timestamp() + 400.0) == {SHOP: 3.0}


@pytest.mark.parametrize(("seconds", "counted"), [(-0.9, {SHOP: 3.0}), (-1.1, {})])
def test_a_restart_right_after_the_first_reading_is_seen_although_its_start_is_reported_early(
    counting: Counting, seconds: float, counted: dict[object, float]
) -> None:
    counting(("spend", labels(), 1.0))
    first_reading = (NOW + 5 * MINUTE).timestamp()
    assert counting(("spend", labels(), 3.0), started=first_reading + seconds) == counted


def test_a_reset_of_one_series_is_seen_by_its_time_of_creation(counting: Counting) -> None:
    counting(("spend", labels(), 1.0), created=NOW.timestamp() - 100.0)
    assert counting(("spend", labels(), 3.0), created=NOW.timestamp() + 100.0) == {SHOP: 3.0}


@pytest.mark.slow
def test_replicas_behind_one_address_are_not_taken_for_restarts(counting: Counting) -> None:
    one, other = NOW.timestamp() - 7000.0, NOW.timestamp() - 6000.0
    counting(("spend", labels(), 10.0), started=one)
    assert counting(("spend", labels(), 4.0), started=other) == {}
    assert counting(("spend", labels(), 11.0), started=one) == {SHOP: 1.0}
    assert counting(("spend", labels(), 4.5), started=other) == {SHOP: 1.5}


@pytest.mark.slow
def test_a_series_that_is_missing_once_is_not_counted_twice(counting: Counting) -> None:
    counting(("spend", labels(), 1.0))
    counting(("spend", labels(), 2.0))
    counting(("requests", labels(), 3.0))
    assert counting(("spend", labels(), 2.5)) == {SHOP: 1.5}


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_counter_that_is_no_number_is_set_aside_and_counted_later(
    proxy: LiteLLMProxy, reader: Reading, counting: Counting, value: float
) -> None:
    counting(("spend", labels(), 1.0))
    proxy.metrics = page(("spend", labels(), value), ("spend", labels(model="o3"), 0.5))
    (rejected,) = reader.refresh(5 * MINUTE)
    assert (rejected.reason, rejected.count) == ("bad_amount", 1)
    o3 = ("openai", "shop", "checkout", "o3")
    assert counting(("spend", labels(), 1.5), ("spend", labels(model="o3"), 0.5)) == {SHOP: 0.5, o3: 0.5}


@pytest.mark.slow
def test_an_increase_belongs_to_the_hour_it_was_read_in_and_adds_up(
    proxy: LiteLLMProxy, reader: Reading, counting: Counting
) -> None:
    for value in (1.0, 1.25, 1.5):
        counting(("spend", labels(), value))
    reader.now += HOUR
    counting(("spend", labels(), 3.5))
    with reader.ledger.reading() as connection:
        hours = connection.execute("SELECT hour(hour), amount FROM usage_hour ORDER BY hour").fetchall()
    assert hours == [(16, 0.5), (17, 2.0)]
    assert reader.counted("llm_proxy_usd") == 2.5


@pytest.mark.slow
def test_dying_before_an_increase_is_stored_counts_it_once(
    proxy: LiteLLMProxy, reader: Reading, counting: Counting
) -> None:
    counting(("spend", labels(), 1.0))
    proxy.metrics = page(("spend", labels(), 4.0))
    reader.refresh(MINUTE, lose=True)
    reader.restart()
    assert counting(("spend", labels(), 4.0)) == {SHOP: 3.0}
    reader.restart()
    assert counting(("spend", labels(), 4.0)) == {SHOP: 3.0}


@pytest.mark.parametrize(
    ("told", "provider"),
    [
        ({"api_provider": "vertex_ai", "model": "gemini-2.5-pro"}, "gcp"),
        ({"api_provider": "bedrock_converse", "model": "claude"}, "aws"),
        ({"api_provider": "azure_ai", "model": "gpt-4o"}, "azure"),
        ({"api_provider": "None", "model": "anthropic/claude-sonnet-4-5"}, "anthropic"),
        ({"api_provider": "None", "model": "claude-sonnet-4-5"}, "unknown"),
        ({"api_provider": "groq", "model": "llama"}, "groq"),
    ],
)
def test_providers_are_named_as_bills_name_them(
    counting: Counting, told: dict[str, str], provider: str
) -> None:
    counting()
    ((found, *_),) = counting(("spend", labels(**told), 1.0))
    assert found == provider


def test_tokens_at_metrics_are_disjoint_too(reader: Reading, counting: Counting) -> None:
    counting()
    counting(
        ("input_tokens", labels(), 100.0),
        ("output_tokens", labels(), 7.0),
        ("input_cached_tokens", labels(), 60.0),
        ("input_cache_creation_tokens", labels(), 30.0),
    )
    kinds = ("input", "output", "cache_read", "cache_write")
    assert [reader.used("llm_proxy_tokens", kind) for kind in kinds] == [
        {SHOP: 10.0},
        {SHOP: 7.0},
        {SHOP: 60.0},
        {SHOP: 30.0},
    ]


def test_labels_with_odd_characters_are_read_as_they_are(counting: Counting) -> None:
    counting()
    odd = labels(alias='a \\"b\\"\\n{c}\\\\ ,d\u2028e', key="k/é")
    assert counting(("spend", odd, 1.0)) == {("openai", 'a "b"\n{c}\\ ,d\u2028e', "k/é", "gpt-4o"): 1.0}


def test_neither_key_hash_nor_user_is_kept_in_the_cursor(reader: Reading, counting: Counting) -> None:
    counting(("spend", labels(), 1.0))
    assert "3cfb91ad6ead66129518" not in str(reader.cursors)
    assert "ana@example.com" not in str(reader.cursors)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>login</html>", "a web page came"),
        ("# TYPE up gauge\nup 1\n", 'callbacks: \\["prometheus"\\]'),
        ('litellm_spend_metric_total{team="x} 1\n', "not in the format of Prometheus"),
        ('litellm_spend_metric_total{team="x"} one\n', "not in the format of Prometheus"),
    ],
)
def test_a_page_that_is_not_the_proxys_metrics_is_an_error_that_says_so(
    proxy: LiteLLMProxy, reader: Reading, text: str, said: str
) -> None:
    proxy.database = False
    proxy.metrics = text
    with pytest.raises(SourceError, match=said):
        reader.refresh()


@pytest.mark.slow
def test_the_page_of_a_real_proxy_is_read_whole(
    proxy: LiteLLMProxy, reader: Reading, counting: Counting
) -> None:
    counting()
    proxy.metrics = SAMPLE.read_text("utf-8").replace(
        "process_start_time_seconds 1.79541470892e+09",
        f"process_start_time_seconds {NOW.timestamp() + 9e2!r}",
    )
    reader.refresh(30 * MINUTE)
    callers = (
        ("openai", "", "", "gpt-4o"),
        ("anthropic", "", "", "claude-sonnet-4-5"),
        ("gcp", "", "", "gemini-2.5-pro"),
    )
    assert reader.used("llm_proxy_usd") == pytest.approx(
        dict(zip(callers, (0.00045, 0.00066, 0.000425), strict=True))
    )
    assert reader.used("llm_proxy_requests") == dict.fromkeys(callers, 2.0)
    assert reader.used("llm_proxy_tokens", "input") == dict.fromkeys(callers, 20.0)
    assert reader.used("llm_proxy_tokens", "output") == dict.fromkeys(callers, 40.0)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["call", "restart the proxy", "restart us", "lose"]),
            st.integers(0, 2),
            st.integers(1, 99),
        ),
        max_size=12,
    )
)
def test_whatever_restarts_each_call_after_the_first_reading_is_counted_once(
    tmp_path: Path, steps: list[tuple[str, int, int]]
) -> None:
    started, counters, true = NOW.timestamp() - 100.0, {0: 5.0, 1: 0.0, 2: 0.0}, 0.0

    def shown() -> str:
        return page(*(("spend", labels(model=f"m{n}"), v) for n, v in counters.items() if v), started=started)

    with LiteLLMProxy(database=False) as proxy, reading(tmp_path, proxy.url, ADMIN_KEY) as reader:
        proxy.metrics = shown()
        reader.refresh()
        for what, model, amount in steps:
            if what == "restart the proxy":
                # What was not read before it went is lost with it.
                reader.refresh(MINUTE)
                started, counters = reader.now.timestamp() + 1.0, {0: 0.0, 1: 0.0, 2: 0.0}
            counters[model] += amount
            true += amount
            proxy.metrics = shown()
            if what == "restart us":
                reader.restart()
            reader.refresh(MINUTE, lose=what == "lose")
        reader.refresh(MINUTE)
        assert sum(reader.used("llm_proxy_usd").values()) == true
        assert reader.counted("llm_proxy_usd") == true


# Which way


def test_without_a_key_the_metrics_are_read(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.faults = [Fault("^/metrics/$", 200, page(("spend", labels(), 1.0)))]
    reader.restart(key=None)
    reader.refresh()
    assert list(reader.cursors) == ["/metrics"]
    assert not any("daily" in path for path in proxy.requests)


def test_a_users_own_key_would_tell_a_part_as_the_whole_so_the_metrics_are_read(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.rows = [row()]
    proxy.metrics = page(("spend", labels(), 1.0))
    reader.restart(key=lambda: USER_KEY)
    reader.refresh()
    assert list(reader.cursors) == ["/metrics"]
    assert "does not belong to an admin" in reader.check()[0].detail


def test_a_proxy_too_old_for_daily_activity_is_read_by_its_metrics(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.metrics = page(("spend", labels(), 1.0))
    proxy.faults = [Fault("daily/activity", 404, "{}", times=9), Fault("readiness", 404, "{}", times=9)]
    reader.refresh()
    assert list(reader.cursors) == ["/metrics"]


@pytest.mark.slow
def test_a_proxy_that_gets_a_database_is_counted_once_on_the_days_both_tell(
    proxy: LiteLLMProxy, reader: Reading, counting: Counting
) -> None:
    counting(("spend", labels(), 1.0))
    other = labels(alias="gone", model="o3")
    counting(("spend", labels(), 2.0), ("spend", other, 4.0))
    proxy.database = True
    proxy.rows = [row(spend=3.0)]
    reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {SHOP: 3.0}
    proxy.database = False
    with pytest.raises(SourceError, match="DB not connected"):
        reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {SHOP: 3.0}


def test_a_proxy_without_any_usage_goes_on_being_read_the_same_way(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    reader.refresh()
    proxy.rows = [row()]
    proxy.requests.clear()
    reader.refresh(MINUTE)
    assert reader.used("llm_proxy_usd") == {SHOP: 0.5}
    assert not any("readiness" in path for path in proxy.requests)


# What `check` says


def test_check_reports_the_way_of_reading_the_teams_and_the_models_and_stores_nothing(
    proxy: LiteLLMProxy, reader: Reading
) -> None:
    proxy.rows = [row(), row(key="hash-search", model="claude-sonnet-4-5", custom_llm_provider="anthropic")]
    found = reader.check()
    assert [(each.what, each.ok, each.warning) for each in found] == [
        ("proxy", True, False),
        ("key", True, False),
        ("usage", True, False),
    ]
    assert "/user/daily/activity is read" in found[0].detail
    assert found[2].detail == "teams: shop, team-2; models: claude-sonnet-4-5 (anthropic), gpt-4o (openai)"
    assert reader.cursors == {}


def test_check_warns_that_metrics_know_no_past(proxy: LiteLLMProxy, reader: Reading) -> None:
    proxy.database = False
    proxy.metrics = page()
    found = reader.check()
    assert found[0].warning
    assert "it has no database" in found[0].detail
    assert found[2].detail == "it reports no calls yet"


def test_check_says_what_is_wrong(proxy: LiteLLMProxy, reader: Reading) -> None:
    reader.restart(key=lambda: "sk-wrong-0123456789abcdef")
    (found,) = reader.check()
    assert not found.ok
    assert "the key is not accepted" in found.detail
