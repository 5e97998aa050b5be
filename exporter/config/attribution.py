"""The configuration of cost attribution: categories of cost, costs by label, costs of the user's own units.

A category is a list of words, or one rule, or a list of rules; all become rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.config.problems import EXPLAINED, Section, explained, names_secret, problems_of
from exporter.config.yaml import UNREADABLE, KeyPath

RESERVED_CATEGORIES: Final = ("unattributed", "other")
"""Names that the exporter uses for the remaining cost."""

_LONGEST_NAME: Final = 100
_OTHER_FORM: Final = "other_form"
"""Type of an error whose text comes from the key: what is expected there, and an example."""

_Text = Annotated[StrictStr, Field(min_length=1)]
_Key = Annotated[StrictStr, Field(min_length=1, max_length=256)]
_Texts = tuple[_Text, ...]


def _in_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


_LIST_OR_ONE: Final = BeforeValidator(_in_list, json_schema_input_type=_Texts | _Text)

_Globs = Annotated[_Texts, _LIST_OR_ONE, Field(min_length=1)]
_GlobsByKey = Mapping[_Key, _Globs]


class ChargeMatch(Section):
    """Conditions on a charge: every key that is set must match, by any of its values."""

    words: Annotated[
        _Texts,
        Field(
            min_length=1,
            description="a list of words to look for in service names and ids",
            examples=[["compute", "storage"]],
        ),
    ] = ()
    providers: Annotated[
        _Texts,
        Field(min_length=1, description="a list of providers", examples=[["gcp", "openai"]]),
    ] = ()
    projects: Annotated[
        _Texts,
        Field(min_length=1, description="a list of project ids or globs", examples=[["ml-*"]]),
    ] = ()
    labels: _GlobsByKey = Field(
        default_factory=dict,
        min_length=1,
        description="labels, each with a value, a glob or a list of them (numbers in quotes)",
        examples=[{"team": "research"}],
    )
    tags: _GlobsByKey = Field(
        default_factory=dict,
        min_length=1,
        description="resource tags, each with a value, a glob or a list of them (numbers in quotes)",
        examples=[{"env": ["prod", "staging"]}],
    )
    services: Annotated[
        _Texts,
        Field(
            min_length=1,
            description="a list of complete service names or ids",
            examples=[["Vertex AI", "6F81-5844-456A"]],
        ),
    ] = ()
    skus: Annotated[
        _Texts,
        Field(
            min_length=1,
            description="a list of SKU ids, or of globs for the text of a SKU",
            examples=[["CF4E-A0C7-E3BF", "*GPU*"]],
        ),
    ] = ()
    models: Annotated[
        _Texts,
        Field(min_length=1, description="a list of language models or globs", examples=[["gpt-4o*"]]),
    ] = ()

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if not data:
            yield explained((), f"has no condition, so every charge would match; {_EXAMPLE_OF_RULE}")


_EXAMPLE_OF_RULE: Final = "for example {projects: [ml-*], labels: {team: research}}"


class UnitMatch(ChargeMatch):
    """Conditions on a charge, its category included."""

    category: Annotated[
        _Globs | None,
        Field(
            description="a category of cost_attribution, or a list of them",
            examples=["shop"],
        ),
    ] = None


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise PydanticCustomError(
            EXPLAINED,
            "must not contain a user name or a password, because messages show it; write only the address, "
            "for example prometheus: http://127.0.0.1:9090",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if re.search(r"[\s\x00-\x1f\x7f]", value) or parts.port == 0:
        raise ValueError
    return value.rstrip("/")


class UnitCost(Section):
    """A unit of the user's business: which charges it costs, and where its number comes from."""

    match: Annotated[
        UnitMatch, Field(description="the conditions on its charges", examples=[{"category": "shop"}])
    ]
    promql: Annotated[
        StrictStr,
        Field(
            min_length=1,
            description="a query that returns the number of units in the last day, as one number",
            examples=["sum(increase(orders_total[1d]))"],
        ),
    ]
    prometheus: Annotated[
        StrictStr,
        AfterValidator(_web_address),
        Field(
            description="the address of a Prometheus server, starting with http:// or https://",
            examples=["http://127.0.0.1:9090"],
        ),
    ]


_Model = TypeVar("_Model", bound=Section)


def section(
    model: type[_Model], at: KeyPath, given: object, problems: list[InitErrorDetails]
) -> _Model | None:
    """Check a section below a mapping of names, whose problem texts the outer model does not have."""
    if not isinstance(given, Mapping) or (names_secret(at) and not given.keys() <= model.model_fields.keys()):
        problems.append(_other_form(at, given))
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems += _retold(error, model, at)
        return None


def _retold(error: ValidationError, model: type[Section], at: KeyPath) -> Iterator[InitErrorDetails]:
    """The problems of a section, each with its text and its path from the outer section."""
    found = error.errors(include_url=False, include_context=False)
    readable = [each for each in found if each["input"] is not UNREADABLE]
    for each, problem in zip(readable, problems_of(error, model, {}), strict=True):
        yield explained((*at, *each["loc"]), problem.text)
    for each in found:
        if each["input"] is UNREADABLE:
            yield _other_form((*at, *each["loc"]), UNREADABLE)


def _other_form(at: KeyPath, given: object) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(_OTHER_FORM, "something else"), loc=at, input=given)


def _rules(name: str, given: object, problems: list[InitErrorDetails]) -> tuple[ChargeMatch, ...]:
    """The rules of a category in any of its forms; adds what is wrong to `problems`."""
    if isinstance(given, Mapping):
        rules = [section(ChargeMatch, (name,), given, problems)]
        return tuple(rule for rule in rules if rule is not None)
    if not isinstance(given, list | tuple):
        problems.append(_other_form((name,), given))
        return ()
    if any(isinstance(item, Mapping) for item in given):
        rules = [section(ChargeMatch, (name, at), item, problems) for at, item in enumerate(given)]
        return tuple(rule for rule in rules if rule is not None)
    words = [item for item in given if isinstance(item, str) and item]
    problems += [
        _other_form((name, at), item)
        for at, item in enumerate(given)
        if not isinstance(item, str) or not item
    ]
    return (ChargeMatch(words=tuple(words)),) if words else ()


def _categories(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    problems = list(_bad_names(value, "category", RESERVED_CATEGORIES))
    found = {str(name): _rules(str(name), given, problems) for name, given in value.items()}
    return _unless(problems, found)


def _units(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    problems = list(_bad_names(value, "unit", ()))
    found = {str(name): section(UnitCost, (str(name),), given, problems) for name, given in value.items()}
    return _unless(problems, found)


def _bad_names(names: Iterable[object], what: str, reserved: tuple[str, ...]) -> Iterator[InitErrorDetails]:
    for name in names:
        text = str(name)
        if text.casefold() in reserved:
            problem = f"is a name that the exporter uses itself; choose another name for the {what}"
            yield explained((text,), f"{problem}, for example {text}_costs")
        elif not text.strip() or len(text) > _LONGEST_NAME or min(text) < " ":
            problem = f"a {what} needs a name of 1 to {_LONGEST_NAME} characters on one line"
            yield explained((text,), f"{problem}, for example shop")


def _unless(problems: list[InitErrorDetails], found: dict[str, Any]) -> dict[str, Any]:
    if problems:
        raise ValidationError.from_exception_data("attribution", problems, hide_input=True)
    return found


def _label_key(value: str) -> str:
    key = value.removeprefix("label:")
    if not key.removeprefix("tag:").strip() or min(key) < " ":
        raise ValueError
    return key


CostAttribution = Annotated[
    Mapping[str, tuple[ChargeMatch, ...]] | None,
    BeforeValidator(
        _categories,
        json_schema_input_type=Mapping[str, tuple[ChargeMatch | _Text, ...] | ChargeMatch] | None,
    ),
    Field(
        description="categories, each with a list of words, a rule or a list of rules",
        examples=[
            {
                "ml": {"projects": ["ml-*"], "labels": {"team": "research"}, "services": ["Vertex AI"]},
                "networking": ["networking", "cdn"],
            }
        ],
    ),
]
"""Categories in order, each with its rules; None where the key is not set."""

LabelCosts = Annotated[
    tuple[Annotated[_Key, AfterValidator(_label_key)], ...],
    Field(
        max_length=20,
        description="a list of at most 20 label keys; a resource tag starts with tag:, and the name of the "
        "resource is resource:name",
        examples=[["team", "branch", "tag:env"]],
    ),
]
"""Keys of labels; keys of tags start with `tag:`; `resource:name` is the resource of the detailed export."""

UnitCosts = Annotated[
    Mapping[str, UnitCost] | None,
    BeforeValidator(_units),
    Field(
        description="units of your business, each with match, promql and prometheus",
        examples=[
            {
                "order": {
                    "match": {"category": "shop"},
                    "promql": "sum(increase(orders_total[1d]))",
                    "prometheus": "http://127.0.0.1:9090",
                }
            }
        ],
    ),
]
"""Units by name; None where the key is not set."""


def unknown_categories(
    units: Mapping[str, UnitCost] | None, *attributions: Mapping[str, object] | None
) -> Iterator[tuple[str, str]]:
    """Yield (unit, category) for each unit that names a category which no attribution has."""
    known = {category for each in attributions for category in each or ()} | {RESERVED_CATEGORIES[0]}
    for name, unit in (units or {}).items():
        for category in unit.match.category or ():
            if category not in known:
                yield name, category
