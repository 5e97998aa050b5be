"""Cost by category, label and unit, from a real ledger: another division of the same dollars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.analysis.bill.attribution import UNATTRIBUTED, Attribution, Match, Rule
from exporter.core.charges import Charge, tags_text
from exporter.ledger.charges.store import Ledger
from exporter.metrics.attribution import (
    AttributedCost,
    BusinessUnit,
    attributed_costs,
    category_families,
    label_families,
    unit_families,
)
from exporter.metrics.billed import billed_families
from exporter.metrics.families import FamilySamples
from tests.support.charge_rows import HOUR, charge, put
from tests.support.examples import examples

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
TODAY = datetime(2026, 11, 10, 8, tzinfo=UTC)
"""Midnight of the Pacific day."""
DAY = timedelta(days=1)
ZONES = {"gcp": "America/Los_Angeles", "openai": "UTC"}

ML = Rule("ml", Match(labels={"team": ("research",)}), "ml")
LLM = Rule("llm", Match(models=("gpt-*",)), "llm")
COMPUTE = Rule("compute", Match(words=("compute",)), "compute")
ATTRIBUTION = Attribution([ML, LLM, COMPUTE])


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger(None)
    yield ledger
    ledger.close()


def costs_of(ledger: Ledger, attribution: Attribution = ATTRIBUTION) -> list[AttributedCost]:
    with ledger.view(["files"]) as view:
        return attributed_costs(view, NOW, ZONES, attribution)


def values(families: Sequence[FamilySamples]) -> dict[str, dict[tuple[str, ...], float]]:
    found = {}
    for each in families:
        samples = list(each.samples)
        found[each.family.name] = dict(samples)
        assert len(found[each.family.name]) == len(samples), "the same labels twice"
    return found


def tagged(usd: str, when: datetime = TODAY, **tags: str) -> Charge:
    text = tags_text({name.replace("__", ":"): value for name, value in tags.items()})
    return charge(usd, charge_period_start=when, tags=text)


def gpt(usd: str, when: datetime) -> Charge:
    return charge(
        usd,
        provider="openai",
        service_id="openai-api",
        service_name="OpenAI API",
        sku_id="gpt-4o-2024-08-06/input",
        charge_period_start=when,
    )


def test_each_window_is_divided_among_the_categories_in_its_providers_days(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        tagged("1", label__team="research"),
        tagged("2", label__team="sales"),
        tagged("4", TODAY - HOUR),
        charge("-0.5", charge_category="credit", charge_period_start=TODAY, service_name="x", service_id="y"),
        gpt("8", TODAY.replace(hour=0)),
        gpt("16", TODAY.replace(hour=0) - HOUR),
        gpt("32", TODAY - 20 * DAY),
    )
    assert values(category_families(costs_of(ledger), ATTRIBUTION)) == {
        "spend_category_today_usd": {
            ("ml",): 1.0,
            ("llm",): 8.0,
            ("compute",): 2.0,
            (UNATTRIBUTED,): -0.5,
        },
        "spend_category_month_to_date_usd": {
            ("ml",): 1.0,
            ("llm",): 24.0,
            ("compute",): 6.0,
            (UNATTRIBUTED,): -0.5,
        },
    }


def test_a_category_without_cost_is_nought_once_anything_was_billed_and_absent_before(
    ledger: Ledger, tmp_path: Path
) -> None:
    nothing = values(category_families(costs_of(ledger), ATTRIBUTION))
    assert nothing == {"spend_category_today_usd": {}, "spend_category_month_to_date_usd": {}}
    put(ledger, tmp_path, "a", tagged("1", TODAY - DAY))
    found = values(category_families(costs_of(ledger), ATTRIBUTION))
    assert found["spend_category_today_usd"] == {}
    assert found["spend_category_month_to_date_usd"][("ml",)] == 0.0


def test_as_of_a_past_hour_only_what_was_known_then_is_divided(ledger: Ledger, tmp_path: Path) -> None:
    late = charge("2", export_hour=NOW - HOUR)
    put(ledger, tmp_path, "a", charge("1"), late)
    with ledger.view(["files"], NOW - HOUR) as view:
        costs = attributed_costs(view, NOW, ZONES, ATTRIBUTION)
    assert [cost.month_to_date_usd for cost in costs] == [1]


def test_a_source_that_is_off_is_not_divided(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("1"), source="bigquery")
    assert costs_of(ledger) == []


def test_cost_by_label_and_by_tag_sums_to_the_total(ledger: Ledger, tmp_path: Path) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        tagged("1", label__team="web", tag__env="prod"),
        tagged("2", label__team="web"),
        tagged("4", label__team=""),
        tagged("8", tag__env="prod"),
        gpt("16", TODAY),
        tagged("32", label__team="other"),
        tagged("64", label__team="unlabelled"),
    )
    found = values(label_families(costs_of(ledger), ["team", "tag:env", "team"]))
    assert found["spend_label_month_to_date_usd"] == {
        ("team", "web"): 3.0,
        ("team", "unlabelled"): 92.0,
        ("team", "other"): 32.0,
        ("tag:env", "prod"): 9.0,
        ("tag:env", "unlabelled"): 118.0,
    }


def test_cost_by_resource_sums_to_the_total_with_the_small_ones_in_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    machines = [tagged(f"{number}.5", resource__name=f"vm-{number}") for number in range(150)]
    put(ledger, tmp_path, "a", *machines, tagged("1000"), gpt("16", TODAY))
    found = values(label_families(costs_of(ledger), ["resource:name"]))["spend_label_month_to_date_usd"]
    assert len(found) == 102
    assert found["resource:name", "vm-149"] == 149.5
    assert found["resource:name", "unlabelled"] == 1016.0
    assert found["resource:name", "other"] == sum(number + 0.5 for number in range(50))
    assert sum(found.values()) == 1016.0 + sum(number + 0.5 for number in range(150))


def test_beyond_a_hundred_values_the_small_ones_are_other(ledger: Ledger, tmp_path: Path) -> None:
    branches = [tagged(str(number), label__branch=f"b{number}") for number in range(1, 151)]
    put(ledger, tmp_path, "a", *branches, tagged("0.25"))
    found = values(label_families(costs_of(ledger), ["branch"]))["spend_label_month_to_date_usd"]
    assert len(found) == 102
    assert found["branch", "other"] == sum(range(1, 51))
    assert found["branch", "b51"] == 51.0
    assert ("branch", "b50") not in found
    assert found["branch", "unlabelled"] == 0.25


def test_the_cost_of_a_unit_is_yesterdays_matched_cost_over_yesterdays_units(
    ledger: Ledger, tmp_path: Path
) -> None:
    yesterday = TODAY - DAY
    put(
        ledger,
        tmp_path,
        "a",
        tagged("6", yesterday, label__team="research"),
        tagged("3", yesterday),
        tagged("100", TODAY, label__team="research"),
    )
    units = [
        BusinessUnit("experiment", categories=("ml",)),
        BusinessUnit("core", Match(services=("Compute Engine",))),
        BusinessUnit("both", Match(labels={"team": ("sales",)}), ("ml",)),
        BusinessUnit("none"),
        BusinessUnit("unknown"),
    ]
    counts = {"experiment": 4.0, "core": 1e6, "both": 5.0, "none": 0.0}
    assert values(unit_families(costs_of(ledger), units, counts)) == {
        "spend_unit_cost_usd": {("experiment",): 1.5, ("core",): 9e-6},
        "spend_units": {("experiment",): 4.0, ("core",): 1e6, ("both",): 5.0, ("none",): 0.0},
    }


partitions = count()
texts = st.sampled_from(["research", "sales", "", "other", "ü🦊"])
charges = st.builds(
    lambda usd, hours, provider, category, tags, sku_id: charge(
        usd,
        provider=provider,
        charge_category=category,
        charge_period_start=NOW - hours * HOUR,
        tags=tags_text(tags),
        sku_id=sku_id,
    ),
    st.decimals(-(10**6), 10**6, places=18),
    st.integers(0, 24 * 12),
    st.sampled_from(sorted(ZONES)),
    st.sampled_from(["usage", "credit", "tax", "adjustment"]),
    st.dictionaries(st.sampled_from(["label:team", "tag:env"]), texts),
    st.sampled_from(["a", "gpt-4o/input"]),
)


@pytest.mark.slow
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(charges, max_size=12))
def test_every_division_has_the_same_exact_sum_as_the_bill(tmp_path: Path, rows: list[Charge]) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, f"{next(partitions)}", *rows)
    with ledger.view(["files"]) as view:
        billed = billed_families(view, NOW, ZONES, 50_000, everything_read=True).window_totals
        costs = attributed_costs(view, NOW, ZONES, ATTRIBUTION)
    for name in ("today", "yesterday", "month_to_date"):
        amounts = [usd for cost in costs if (usd := getattr(cost, f"{name}_usd")) is not None]
        assert (sum(amounts) if amounts else None) == billed[name]
    found = values([*category_families(costs, ATTRIBUTION), *label_families(costs, ["team", "tag:env"])])
    total = float(billed["month_to_date"] or Decimal(0))
    for samples in (
        found["spend_category_month_to_date_usd"],
        only(found["spend_label_month_to_date_usd"], "team"),
        only(found["spend_label_month_to_date_usd"], "tag:env"),
    ):
        assert sum(samples.values()) == pytest.approx(total, abs=1e-6)
    ledger.close()


def only(samples: Mapping[tuple[str, ...], float], label: str) -> dict[tuple[str, ...], float]:
    return {labels: value for labels, value in samples.items() if labels[0] == label}
