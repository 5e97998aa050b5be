"""The keys of cost attribution: what is accepted, and how every mistake is reported."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from exporter.config.attribution import CostAttribution, LabelCosts, UnitCosts, unknown_categories
from exporter.config.problems import Problem, Section, problems_of


class Inner(Section):
    cost_attribution: CostAttribution = None


class Outer(Section):
    """As a configuration has the keys: at the top and in a section."""

    gcp: Annotated[Inner | None, Field(description="a section", examples=[{}])] = None
    cost_attribution: CostAttribution = None
    label_costs: LabelCosts = ()
    unit_costs: UnitCosts = None


UNIT = {
    "match": {"category": "shop"},
    "promql": "sum(increase(orders_total[1d]))",
    "prometheus": "http://127.0.0.1:9090",
}


def problems(document: Mapping[str, object]) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    return list(problems_of(caught.value, Outer, {}))


def categories(value: object) -> dict[str, list[dict[str, object]]]:
    found = Outer.model_validate({"cost_attribution": value}).cost_attribution
    assert found is not None
    return {name: [rule.model_dump(exclude_unset=True) for rule in rules] for name, rules in found.items()}


def test_words_a_rule_and_a_list_of_rules_are_taken_in_order() -> None:
    rule = {"projects": ["ml-*"], "labels": {"team": "research"}, "services": ["Vertex AI"]}
    found = categories(
        {
            "words": ["compute", "storage"],
            "rule": rule,
            "rules": [rule, {"tags": {"env": ["prod", "p*"]}, "skus": ["*GPU*"]}, {"models": ["gpt-*"]}],
            "none": [],
        }
    )
    taken = {"projects": ("ml-*",), "labels": {"team": ("research",)}, "services": ("Vertex AI",)}
    assert list(found.items()) == [
        ("words", [{"words": ("compute", "storage")}]),
        ("rule", [taken]),
        ("rules", [taken, {"tags": {"env": ("prod", "p*")}, "skus": ("*GPU*",)}, {"models": ("gpt-*",)}]),
        ("none", []),
    ]


def test_the_same_is_taken_in_a_section() -> None:
    found = Outer.model_validate({"gcp": {"cost_attribution": {"ml": ["aiplatform", "ml"]}}})
    assert found.gcp is not None
    assert found.gcp.cost_attribution is not None
    assert found.gcp.cost_attribution["ml"][0].words == ("aiplatform", "ml")


def test_nothing_given_is_nothing() -> None:
    found = Outer.model_validate({"cost_attribution": None})
    assert (found.cost_attribution, found.label_costs, found.unit_costs) == (None, (), None)


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        ("words", "cost_attribution", "expected categories, each with a list of words, a rule or"),
        ({"ml": "words"}, "cost_attribution.ml", "got 'words'; for example cost_attribution: {"),
        ({"ml": None}, "cost_attribution.ml", "got nothing"),
        ({"ml": ["a", ""]}, "cost_attribution.ml[1]", "got ''"),
        ({"ml": ["a", 7]}, "cost_attribution.ml[1]", "got 7"),
        ({"a b": 3}, "cost_attribution['a b']", "got 3"),
        ({"ml": {}}, "cost_attribution.ml", "has no condition, so every charge would match; for"),
        ({"ml": [{}]}, "cost_attribution.ml[0]", "has no condition"),
        ({"ml": [{"words": ["a"]}, "b"]}, "cost_attribution.ml[1]", "got 'b'"),
        ({"ml": {"project": ["a"]}}, "cost_attribution.ml.project", "did you mean projects, for example"),
        ({"ml": {"projects": "a"}}, "cost_attribution.ml.projects", "expected a list of project ids"),
        ({"ml": {"projects": []}}, "cost_attribution.ml.projects", 'got an empty list; for example'),
        ({"ml": {"labels": {"team": 7}}}, "cost_attribution.ml.labels.team", "(numbers in quotes), got 7"),
        ({"ml": {"labels": {"team": []}}}, "cost_attribution.ml.labels.team", "got an empty list"),
        ({"ml": {"labels": {}}}, "cost_attribution.ml.labels", "got a mapping"),
        ({"ml": {"labels": ["team"]}}, "cost_attribution.ml.labels", "expected labels, each with a value"),
        ({"ml": {"tags": {"env": [""]}}}, "cost_attribution.ml.tags.env[0]", "expected resource tags"),
        ({"ml": {"category": "x"}}, "cost_attribution.ml.category", "no such key"),
        ({"unattributed": ["a"]}, "cost_attribution.unattributed", "choose another name for the category"),
        ({"Other": ["a"]}, "cost_attribution.Other", "for example Other_costs"),
        ({"": ["a"]}, "cost_attribution['']", "a category needs a name of 1 to 100 characters"),
        ({"a\nb": ["a"]}, "cost_attribution['a\\nb']", "on one line"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "gcp"])
def test_a_mistake_in_a_category_is_reported_at_its_place(
    value: object, key: str, text: str, above: str
) -> None:
    document: dict[str, object] = {"cost_attribution": value}
    [problem] = problems({above: document} if above else document)
    assert problem.key == (f"{above}.{key}" if above else key)
    assert text in problem.text
    assert "\n" not in str(problem)


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems(
        {
            "cost_attribution": {"other": {"projects": 7}, "b": [{"x": 1}, {"skus": ["x", 3]}], "c": 1},
            "label_costs": "team",
            "unit_costs": {"order": {"match": {"category": 7, "projects": ["a"]}, "promql": ""}},
        }
    )
    assert [problem.key for problem in found] == [
        "cost_attribution.other",
        "cost_attribution.other.projects",
        "cost_attribution.b[0].x",
        "cost_attribution.b[1].skus[1]",
        "cost_attribution.c",
        "label_costs",
        "unit_costs.order.match.category",
        "unit_costs.order.promql",
        "unit_costs.order.prometheus",
    ]


def test_labels_and_tags_are_listed_by_their_keys() -> None:
    found = Outer.model_validate({"label_costs": ["team", "label:branch", "tag:env", "resource:name"]})
    assert found.label_costs == ("team", "branch", "tag:env", "resource:name")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (["team", 7], "label_costs[1]"),
        ([""], "label_costs[0]"),
        (["tag:"], "label_costs[0]"),
        (["label:"], "label_costs[0]"),
        (["a\nb"], "label_costs[0]"),
        ({"team": 1}, "label_costs"),
        ([str(number) for number in range(21)], "label_costs"),
    ],
)
def test_a_mistake_in_the_labels_is_reported_at_its_place(value: object, key: str) -> None:
    [problem] = problems({"label_costs": value})
    assert problem.key == key
    assert 'for example label_costs: ["team", "branch", "tag:env"]' in problem.text


def test_a_unit_has_what_it_costs_and_where_its_number_is() -> None:
    units = Outer.model_validate(
        {
            "unit_costs": {
                "order": {**UNIT, "prometheus": "https://prometheus.example/prefix/"},
                "experiment": {**UNIT, "match": {"category": ["ml", "shop"], "projects": ["ml-*"]}},
            }
        }
    ).unit_costs
    assert units is not None
    assert list(units) == ["order", "experiment"]
    assert units["order"].prometheus == "https://prometheus.example/prefix"
    assert units["order"].match.category == ("shop",)
    assert units["experiment"].match.category == ("ml", "shop")
    assert units["experiment"].match.projects == ("ml-*",)
    known = {"ml": (), "x": ()}
    assert list(unknown_categories(units, known, None)) == [("order", "shop"), ("experiment", "shop")]
    assert list(unknown_categories(units, known, {"shop": ()})) == []


@pytest.mark.parametrize(
    ("changed", "key", "text"),
    [
        ({"match": {}}, "unit_costs.order.match", "has no condition"),
        ({"match": ["shop"]}, "unit_costs.order.match", "expected the conditions on its charges"),
        ({"match": {"project": ["x"]}}, "unit_costs.order.match.project", "did you mean projects"),
        ({"promql": 7}, "unit_costs.order.promql", "sum(increase(orders_total[1d]))"),
        ({"prometheus": "localhost:9090"}, "unit_costs.order.prometheus", "starting with http://"),
        (
            {"prometheus": "http://"},
            "unit_costs.order.prometheus",
            "for example prometheus: http://127.0.0.1",
        ),
        ({"prometheus": "http://a:99999"}, "unit_costs.order.prometheus", "the address of a Prometheus"),
        ({"prometheus": "http://a?x=1"}, "unit_costs.order.prometheus", "the address of a Prometheus"),
        ({"prometheus": "http://a b"}, "unit_costs.order.prometheus", "the address of a Prometheus"),
        ({"url": "x"}, "unit_costs.order.url", "no such key"),
    ],
)
def test_a_mistake_in_a_unit_is_reported_at_its_place(
    changed: dict[str, object], key: str, text: str
) -> None:
    [problem] = problems({"unit_costs": {"order": {**UNIT, **changed}}})
    assert problem.key == key
    assert text in problem.text


@pytest.mark.parametrize("value", ["order", {"order": "x"}, {"order": None}, {"": UNIT}])
def test_units_of_another_form_are_refused(value: object) -> None:
    [problem] = problems({"unit_costs": value})
    assert problem.key.startswith("unit_costs")
    assert "for example" in problem.text


@pytest.mark.parametrize(
    "document",
    [
        {"cost_attribution": {"key": value}}
        for value in ("hunter2", ["hunter2", ""], {"hunter2": "hunter2"}, [{"hunter2": 1}])
    ]
    + [
        {"cost_attribution": {"ml": {"labels": {"api_key": ["hunter2", 7]}}}},
        {"unit_costs": {"order": {**UNIT, "prometheus": "http://me:hunter2@127.0.0.1:9090"}}},
        {"unit_costs": {"order": {**UNIT, "password": "hunter2"}}},
        {"unit_costs": {"token": {"hunter2": "hunter2"}}},
    ],
)
def test_no_secret_is_repeated(document: dict[str, object]) -> None:
    found = problems(document)
    assert found
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    assert "hunter2" not in " ".join(map(str, found)) + "".join(traceback.format_exception(caught.value))


WORDS = st.text(max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            WORDS | st.sampled_from(["projects", "labels", "words", "match", "promql", "prometheus"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(key=st.sampled_from(["cost_attribution", "label_costs", "unit_costs"]), value=ANYTHING)
def test_any_value_is_accepted_or_reported_at_its_key(key: str, value: object) -> None:
    try:
        taken = Outer.model_validate({key: value})
    except ValidationError as error:
        found = list(problems_of(error, Outer, {}))
        assert found
        for problem in found:
            assert problem.key.startswith(key)
            assert len(str(problem).splitlines()) == 1
    else:
        assert taken.model_fields_set == {key}
