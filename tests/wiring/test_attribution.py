"""What is configured becomes rules in order, units, queries, and the labels that have to be kept for them."""

from __future__ import annotations

from exporter.analysis.bill.attribution import UNATTRIBUTED, Combination
from exporter.config.attribution import ChargeMatch, UnitCost
from exporter.wiring.attribution import configured_attribution

CHARGE = Combination("gcp", "", "ml-1", "6F81-5844-456A", "Compute Engine", "sku", "N2 Core", "", "")


def rule(**kinds: object) -> ChargeMatch:
    return ChargeMatch.model_validate(kinds)


def test_rules_below_gcp_come_first_and_are_for_its_charges_alone() -> None:
    found = configured_attribution(
        {"machines": (rule(words=["compute"]),), "all": (rule(providers=["openai"]),)},
        {"projects": (rule(skus=["x"]), rule(projects=["ml-*"])), "all": (rule(words=["c"]),)},
    )
    assert [(each.category, each.place) for each in found.attribution.rules] == [
        ("machines", "gcp.cost_attribution.machines"),
        ("all", "gcp.cost_attribution.all"),
        ("projects", "cost_attribution.projects[0]"),
        ("projects", "cost_attribution.projects[1]"),
        ("all", "cost_attribution.all"),
    ]
    assert found.attribution.category(CHARGE) == "machines"
    assert found.attribution.category(CHARGE._replace(provider="aws")) == "projects"
    assert found.attribution.category(CHARGE._replace(provider="aws", project_id="x")) == "all"


def test_every_kind_of_a_rule_has_its_effect() -> None:
    kinds: dict[str, object] = {kind: ["zz"] for kind in ChargeMatch.model_fields}
    kinds |= {"labels": {"zz": "zz"}, "tags": {"zz": "zz"}}
    assert len(kinds) == 8
    for kind, value in kinds.items():
        found = configured_attribution(None, {"a": (rule(**{kind: value}),)})
        assert found.attribution.category(CHARGE) == UNATTRIBUTED, kind


def test_labels_and_tags_that_anything_asks_for_are_kept() -> None:
    unit = UnitCost.model_validate(
        {
            "match": {"labels": {"tenant": "x"}, "category": ["a"]},
            "promql": "sum(x)",
            "prometheus": "http://127.0.0.1:9090",
        }
    )
    found = configured_attribution(
        {"a": (rule(labels={"team": "x"}),)},
        {"b": (rule(tags={"env": "prod", "team": "x"}),)},
        ["branch", "tag:env", "branch"],
        {"tenant": unit},
    )
    assert found.kept_tags == ("label:branch", "label:team", "label:tenant", "tag:env", "tag:team")
    assert found.label_costs == ("branch", "tag:env")
    assert found.units[0].categories == ("a",)
    assert found.units[0].match.labels == {"tenant": ("x",)}
    assert [(each.unit, each.promql) for each in found.unit_queries] == [("tenant", "sum(x)")]


def test_nothing_configured_keeps_nothing() -> None:
    found = configured_attribution(None, None)
    assert (found.kept_tags, found.units, found.attribution.rules) == ((), (), ())
