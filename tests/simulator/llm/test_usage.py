"""The demo world's LLM use: the same however it is read, with days, weeks, growth and one runaway."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.llm.arrival import USAGE_COMPLETE_SECONDS, LlmArrival
from exporter.simulator.llm.company import WORKLOADS, Provider
from exporter.simulator.llm.prices import LIST_PRICES, TOKENS, billed_usd
from exporter.simulator.llm.usage import LlmUsage, LlmUse, cut

NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
NOW_HOUR = int(NOW.timestamp()) // 3600
SPAN_HOURS = 44 * 24


@cache
def quiet() -> LlmUsage:
    return LlmUsage.ending_at(NOW, seed=4, incident_lasts=timedelta(0))


@cache
def runaway() -> LlmUsage:
    return LlmUsage.ending_at(NOW, seed=4)


def requests(usage: LlmUsage, hours: range, service: str) -> int:
    return sum(use.requests for hour in hours for use in usage.uses(hour) if use.workload.service == service)


def sums(uses: list[LlmUse]) -> dict[str, tuple[int, Counter[str]]]:
    """Requests and amounts by workload."""
    found: dict[str, tuple[int, Counter[str]]] = {}
    for use in uses:
        name = "/".join(use.workload.name)
        count, amounts = found.get(name, (0, Counter()))
        found[name] = (count + use.requests, amounts + Counter(use.amounts))
    return found


def test_the_same_seed_gives_the_same_use_in_whatever_order_it_is_read() -> None:
    hours = range(NOW_HOUR - 60, NOW_HOUR + 20)
    one, other = LlmUsage.ending_at(NOW, seed=4), LlmUsage.ending_at(NOW, seed=4)
    backwards = [other.uses(hour) for hour in reversed(hours)]
    assert [one.uses(hour) for hour in hours] == backwards[::-1]
    assert [LlmUsage.ending_at(NOW, seed=5).uses(hour) for hour in hours] != backwards[::-1]


def test_nothing_was_used_before_the_world_began() -> None:
    assert quiet().uses(quiet().first_hour - 1) == ()
    assert quiet().uses(quiet().first_hour) != ()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(back=st.integers(-30, SPAN_HOURS))
def test_the_minutes_of_an_hour_sum_to_it_and_a_minute_without_requests_counts_nothing(back: int) -> None:
    hour = NOW_HOUR - back
    uses = list(runaway().uses(hour))
    assert uses
    for use in uses:
        minutes = runaway().minutes(use, hour)
        assert len(minutes) == 60
        assert sums(list(minutes)) == sums([use])
        for minute in minutes:
            assert minute.requests >= 0
            assert all(amount >= 0 for amount in minute.amounts.values())
            assert minute.requests or not any(minute.amounts.values())


@given(
    total=st.integers(0, 10**9),
    weights=st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1).filter(
        lambda each: sum(each) > 0.1
    ),
)
def test_parts_sum_to_the_whole(total: int, weights: list[float]) -> None:
    parts = cut(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert all(part >= 0 for part in parts)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


def test_the_bot_is_busy_by_day_and_the_reviewers_rest_at_the_weekend() -> None:
    # The company lives on Pacific time, where 10:00 UTC is night.
    day = int(datetime(2026, 11, 18, tzinfo=UTC).timestamp()) // 3600
    by_hour = [requests(quiet(), range(hour, hour + 1), "support-bot") for hour in range(day, day + 24)]
    assert max(by_hour) > 2.5 * min(by_hour)
    assert by_hour.index(min(by_hour)) in range(8, 14)
    sunday = int(datetime(2026, 11, 15, 8, tzinfo=UTC).timestamp()) // 3600
    wednesday = sunday + 72
    assert requests(quiet(), range(sunday, sunday + 24), "code-review") * 3 < requests(
        quiet(), range(wednesday, wednesday + 24), "code-review"
    )


def test_use_grows() -> None:
    first = quiet().first_hour
    before = requests(quiet(), range(first, first + 168), "support-bot")
    after = requests(quiet(), range(first + 35 * 24, first + 42 * 24), "support-bot")
    assert 1.1 < after / before < 1.35


def test_the_incident_lets_one_key_run_away_and_changes_nothing_else() -> None:
    began = NOW_HOUR - 30
    for hour in (began - 1, began, began + 1, began + 10, began + 71, began + 72):
        calm, wild = sums(list(quiet().uses(hour))), sums(list(runaway().uses(hour)))
        changed = {name for name, each in wild.items() if each != calm.get(name)}
        if began <= hour < began + 72:
            assert [name.split("/")[:3] for name in changed] == [
                ["openai", "completions", "gpt-4o-2024-08-06"]
            ]
        else:
            assert not changed
    hours = range(began + 5, began + 25)
    calls = [
        sum(use.requests for hour in hours for use in usage.uses(hour) if use.workload.runaway)
        for usage in (quiet(), runaway())
    ]
    assert calls[1] / calls[0] == pytest.approx(14, rel=0.01)


def test_the_list_prices_are_those_of_the_price_data() -> None:
    of_provider = {workload.model: workload.provider for workload in WORKLOADS}
    fields = {
        "input": "input_tokens",
        "cache_read": "cache_read_tokens",
        "cache_write": "cache_write_tokens",
        "output": "output_tokens",
    }
    compared = 0
    for model, prices in LIST_PRICES.items():
        for kind, field in fields.items():
            if prices.get(kind):
                counts = {field: 1000} if kind in ("input", "output") else {field: 1000, "input_tokens": 1000}
                found = calc_price(
                    PricedUsage(**counts), model, provider_id=of_provider[model], genai_request_timestamp=NOW
                )
                assert found.total_price == prices[kind] * 1000, (model, kind)
                compared += 1
    assert compared > 15


def test_everything_that_is_counted_has_a_price() -> None:
    assert {"openai", "anthropic"} <= {workload.provider for workload in WORKLOADS}
    for workload in WORKLOADS:
        amounts = dict.fromkeys(workload.per_request, 1_000_000)
        priced = billed_usd(workload.provider, workload.model, amounts, batch=workload.batch)
        assert priced.keys() == amounts.keys()
        assert workload.endpoint == "moderations" or all(usd > 0 for usd in priced.values())


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistral"])
def test_what_is_billed_is_a_little_less_than_the_list_says(provider: Provider) -> None:
    billed = listed = Decimal(0)
    for hour in range(NOW_HOUR - 200, NOW_HOUR - 32):
        for use in quiet().uses(hour):
            workload = use.workload
            if workload.provider == provider:
                billed += sum(
                    billed_usd(provider, workload.model, use.amounts, batch=workload.batch).values()
                )
                listed += sum(
                    amount * LIST_PRICES[workload.model][kind] for kind, amount in use.amounts.items()
                )
    assert Decimal("0.8") < billed / listed < 1


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    back=st.integers(0, 40 * 60),
    minutes=st.integers(1, 600),
    ages=st.lists(st.integers(0, 12 * 3600), min_size=2, max_size=4),
    provider=st.sampled_from(["openai", "anthropic"]),
)
def test_what_is_reported_only_grows_until_it_is_all(
    back: int, minutes: int, ages: list[int], provider: Provider
) -> None:
    usage = runaway()
    arrival = LlmArrival(usage)
    end = (int(NOW.timestamp()) // 60 - back) * 60
    begin = end - minutes * 60
    reported = [sums(list(arrival.used(provider, begin, end, end + age))) for age in sorted(ages)]
    for before, after in pairwise(reported):
        for name, (count, amounts) in before.items():
            assert after[name][0] >= count
            assert amounts <= after[name][1]
    everything: list[LlmUse] = []
    for hour in range(begin // 3600, -(-end // 3600)):
        for use in usage.uses(hour):
            if use.workload.provider == provider:
                for number, part in enumerate(usage.minutes(use, hour)):
                    if begin <= hour * 3600 + number * 60 < end and part.requests:
                        everything.append(part)
    assert sums(list(arrival.used(provider, begin, end, end + USAGE_COMPLETE_SECONDS))) == sums(everything)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_bill_of_a_day_grows_and_is_complete_some_hours_after_its_end(provider: Provider) -> None:
    arrival = LlmArrival(runaway())
    begin = int(datetime(2026, 11, 18, tzinfo=UTC).timestamp())
    end = begin + 86_400
    counts = [
        sum(use.requests for use in arrival.billed(provider, begin, end, begin + hour * 3600))
        for hour in range(36)
    ]
    assert counts == sorted(counts)
    true = sum(
        use.requests
        for hour in range(begin // 3600, end // 3600)
        for use in runaway().uses(hour)
        if use.workload.provider == provider
    )
    assert counts[2] < counts[20] < true
    assert counts[24] < true
    assert counts[24 + 9] == true


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(age=st.integers(-86_400, 10 * 3600), provider=st.sampled_from(["openai", "anthropic"]))
def test_nothing_is_billed_before_its_usage_is_reported(age: int, provider: Provider) -> None:
    arrival = LlmArrival(runaway())
    begin = int(datetime(2026, 11, 18, tzinfo=UTC).timestamp())
    end = begin + 86_400
    reported = sums(list(arrival.used(provider, begin, end, end + age)))
    billed = sums(list(arrival.billed(provider, begin, end, end + age)))
    assert billed.keys() <= reported.keys()
    for name, (count, amounts) in billed.items():
        assert count <= reported[name][0]
        assert amounts <= reported[name][1]


def test_usage_is_seen_within_minutes_and_a_few_minutes_much_later() -> None:
    arrival = LlmArrival(runaway())
    now = int(NOW.timestamp()) // 60 * 60

    def seen(age_minutes: int) -> int:
        minute = now - age_minutes * 60
        return sum(use.requests for use in arrival.used("openai", minute - 1800, minute, now))

    truth = {
        age: sum(
            use.requests
            for use in arrival.used("openai", now - age * 60 - 1800, now - age * 60, now + 86_400)
        )
        for age in (0, 10, 80)
    }
    assert 0 < seen(0) < truth[0]
    assert 0.85 * truth[10] < seen(10) < truth[10]
    assert seen(80) == truth[80]


def test_token_types_are_disjoint_and_the_cache_is_used() -> None:
    kinds = {kind for use in quiet().uses(NOW_HOUR - 40) for kind in use.amounts}
    assert set(TOKENS) <= kinds
