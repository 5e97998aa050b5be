"""Each charge belongs to one category: the first whose rule matches; the sum over categories is the total."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.attribution import UNATTRIBUTED, Attribution, Combination, Match, Rule
from exporter.core.charges import tags_text

CHARGE = Combination(
    provider="gcp",
    billing_account_id="01AB23-4C5D67-89EF01",
    project_id="ml-prod",
    service_id="C7E2-9256-1C43",
    service_name="Vertex AI",
    sku_id="E8F2-11A4-90CC",
    sku="Gemini 2.5 Pro Text Output - Predictions",
    model="gemini-2.5-pro",
    tags=tags_text({"label:team": "research", "label:env": "prod", "tag:cost": "Shared"}),
)


@pytest.mark.parametrize(
    "match",
    [
        Match(words=("storage", "VERTEX")),
        Match(words=("c7e2",)),
        Match(words=("aiplatform",)),
        Match(providers=("openai", "GCP")),
        Match(projects=("web", "ml-*")),
        Match(labels={"team": ("sales", "research")}),
        Match(labels={"team": ("re*",), "env": ("p?od",)}),
        Match(tags={"cost": ("S*",)}),
        Match(services=("vertex ai",)),
        Match(services=("C7E2-9256-1C43",)),
        Match(skus=("e8f2-11a4-90cc",)),
        Match(skus=("gemini * output*",)),
        Match(models=("gpt-*", "gemini-2*")),
        Match(projects=("ml-*",), services=("Vertex AI",), labels={"team": ("*",)}, models=("gemini*",)),
    ],
)
def test_a_rule_matches_by_every_kind_that_it_names(match: Match) -> None:
    assert match.matches(CHARGE)


@pytest.mark.parametrize(
    "match",
    [
        Match(words=("storage",)),
        Match(words=("Gemini",)),
        Match(providers=("openai",)),
        Match(projects=("ml",)),
        Match(labels={"team": ("research",), "branch": ("*",)}),
        Match(labels={"team": ("Research",)}),
        Match(labels={"cost": ("Shared",)}),
        Match(tags={"team": ("research",)}),
        Match(services=("Vertex",)),
        Match(services=("Vertex*",)),
        Match(skus=("Gemini",)),
        Match(skus=("E8F2*",)),
        Match(models=("gemini",)),
        Match(projects=("ml-*",), services=("Cloud Run",)),
    ],
)
def test_a_rule_does_not_match_when_one_kind_does_not(match: Match) -> None:
    assert not match.matches(CHARGE)


def test_what_the_bill_does_not_say_matches_no_model_and_no_label() -> None:
    bare = CHARGE._replace(model="", tags="")
    assert not Match(models=("*",)).matches(bare)
    assert not Match(labels={"team": ("*",)}).matches(bare)
    assert Match(labels={"team": ("*",)}).matches(bare._replace(tags=tags_text({"label:team": ""})))


def test_the_first_rule_that_matches_decides_and_the_rest_is_unattributed() -> None:
    vertex = Rule("ml", Match(services=("Vertex AI",)), "ml")
    everything_ours = Rule("ours", Match(projects=("ml-*",)), "ours")
    assert Attribution([vertex, everything_ours]).category(CHARGE) == "ml"
    assert Attribution([everything_ours, vertex]).category(CHARGE) == "ours"
    assert (
        Attribution([vertex]).category(CHARGE._replace(service_name="Cloud Run", service_id="x"))
        == UNATTRIBUTED
    )
    assert Attribution().categories == (UNATTRIBUTED,)
    assert Attribution([vertex, everything_ours, vertex]).categories == ("ml", "ours", UNATTRIBUTED)


def test_rules_without_effect_and_charges_that_two_categories_claim_are_reported() -> None:
    ml = Rule("ml", Match(services=("Vertex AI",)), "ml[0]")
    more_ml = Rule("ml", Match(models=("gemini*",)), "ml[1]")
    team = Rule("team", Match(labels={"team": ("research",)}), "team")
    never = Rule("never", Match(projects=("no-such",)), "never")
    other = CHARGE._replace(project_id="web", service_name="Cloud Run", service_id="y", model="")
    rest = other._replace(tags="")

    found = Attribution([ml, more_ml, team, never]).assess(
        [(CHARGE, Decimal("10.5")), (other, Decimal(3)), (rest, Decimal("-0.5"))]
    )

    assert found.usd_by_category == {"ml": Decimal("10.5"), "team": 3, UNATTRIBUTED: Decimal("-0.5")}
    assert found.never_matched == [never]
    assert found.shadowed == [more_ml]
    assert [(each.winner, each.loser, each.usd) for each in found.conflicts] == [(ml, team, Decimal("10.5"))]


def test_the_largest_conflict_comes_first() -> None:
    rules = [Rule(name, Match(projects=(glob,)), name) for name, glob in (("a", "a"), ("b", "b"), ("c", "*"))]
    found = Attribution(rules).assess(
        [(CHARGE._replace(project_id=project), Decimal(usd)) for project, usd in (("a", 1), ("b", -5))]
    )
    assert [(each.winner.category, each.usd) for each in found.conflicts] == [
        ("b", Decimal(-5)),
        ("a", Decimal(1)),
    ]


words = st.sampled_from(["a", "b", "ab", "*", "a*"])
values = st.lists(words, max_size=2).map(tuple)
tags = st.dictionaries(st.sampled_from(["team", "env"]), st.lists(words, min_size=1).map(tuple), max_size=2)
matches = st.builds(
    Match,
    words=values,
    providers=values,
    projects=values,
    labels=tags,
    tags=tags,
    services=values,
    skus=values,
    models=values,
)
rules_of_any_kind = st.lists(
    st.builds(Rule, st.sampled_from(["x", "y", "z"]), matches, st.just("")), max_size=6
)
texts = st.sampled_from(["", "a", "b", "ab", "A"])
charges = st.builds(
    Combination,
    texts,
    texts,
    texts,
    texts,
    texts,
    texts,
    texts,
    texts,
    st.dictionaries(st.sampled_from(["label:team", "tag:env", "label:env"]), texts).map(tags_text),
)


@pytest.mark.slow
@given(rules=rules_of_any_kind, costs=st.lists(st.tuples(charges, st.decimals(-(10**6), 10**6, places=18))))
def test_the_sum_over_categories_is_the_total_and_agrees_with_each_charges_category(
    rules: list[Rule], costs: list[tuple[Combination, Decimal]]
) -> None:
    attribution = Attribution(rules)
    found = attribution.assess(costs).usd_by_category
    assert sum(found.values()) == sum(usd for _, usd in costs)
    assert set(found) <= set(attribution.categories)
    singly: dict[str, Decimal] = {}
    for charge, usd in costs:
        category = attribution.category(charge)
        singly[category] = singly.get(category, Decimal(0)) + usd
    assert singly == found
