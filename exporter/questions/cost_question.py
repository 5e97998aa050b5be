"""The question of /api/v1/costs: its parameters, read and checked. The model is also its documentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.questions.problem import QuestionError, quoted, suggestion
from exporter.questions.times import Compared, Step

_LONGEST_PARAMETER: Final = 10_000
_LISTS: Final = ("by", "where")
"""Parameters that may be repeated; the values are joined by commas."""

_MAY_BE_EMPTY: Final = (*_LISTS, "from", "to", "per")
"""Parameters of which an empty value is as good as none."""


class Parameters(BaseModel):
    """Parameters that questions share."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, populate_by_name=True, frozen=True
    )

    from_: str | None = Field(None, alias="from", examples=["now-7d"])
    """Begin of the span, included: `now`, `now-36h`, `now-7d`, `now-4w`, a billing day (2026-11-01), or
    RFC 3339 (2026-11-01T08:00:00Z). For steps of days and longer a time stands for the billing day that it is
    in. By default the last 48 hours, 14 days, 8 weeks or 6 months."""
    to: str | None = Field(None, examples=["now"])
    """End of the span, excluded; written as `from`. For steps of days and longer a time includes the billing
    day that it is in: `now` includes today, `now-1d` ends with yesterday. `now` by default."""
    where: str | None = Field(None, examples=["service:Vertex*"])
    """Conditions separated by commas, each a dimension and a pattern: `project:shop-*,label.team:core`. `*`
    is any text, `?` any character. All dimensions must match, with one of their patterns."""


class CostParameters(Parameters):
    """Parameters of /api/v1/costs."""

    step: Step = "day"
    """Length of the periods, in billing days of each provider; `total` is one period."""
    by: str | None = Field(None, examples=["service"])
    """Dimensions separated by commas: provider, billing_account, project, service, service_id, sku, sku_id,
    region, charge_category, category (your cost attribution), model, unit, and label.KEY or tag.KEY of the
    labels and tags that the configuration uses. Without it there is one group."""
    per: str | None = Field(None, examples=["order"])
    """A unit of `unit_costs` in the configuration, such as order: only the charges that it costs, and in
    `per_unit` the cost of one, by day, week or month. Not with `by` and `compare`; for `net` and `gross`."""
    measure: Literal["net", "gross", "credits", "list", "usage"] = "net"
    """`net`: all charges, as in /metrics. `gross`: without credits. `credits`: credits alone, negative.
    `list`: what the charges of `gross` cost at the provider's list prices. `usage`: the quantity of usage, by
    unit, rounded to 15 digits."""
    top: int = Field(20, ge=1, le=10_000)
    """How many groups are shown on their own; the others are added up in `other`."""
    compare: Compared = "none"
    """`previous`: also the sum of the span of the same length just before; of whole months, as many months.
    `week`: of the same span a week before."""
    format: Literal["json", "csv"] = "json"


Model = TypeVar("Model", bound=BaseModel)


def read_parameters(model: type[Model], given: Iterable[tuple[str, str]]) -> Model:
    """Return the parameters of a query. Raises QuestionError, which names the first that is wrong."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    values: dict[str, str] = {}
    for name, value in given:
        if name not in names:
            raise QuestionError(quoted(name), f"is no parameter; {suggestion(name, names)}")
        if len(value) > _LONGEST_PARAMETER:
            raise QuestionError(name, f"is longer than {_LONGEST_PARAMETER} characters")
        if "\0" in value:
            raise QuestionError(name, "contains a zero byte")
        if name in values and name not in _LISTS:
            raise QuestionError(name, "is given twice")
        values[name] = f"{values[name]},{value}" if name in values else value
    try:
        return model.model_validate(
            {name: value for name, value in values.items() if value or name not in _MAY_BE_EMPTY}
        )
    except ValidationError as error:
        raise _explained(error.errors()[0]) from None


def _explained(error: Any) -> QuestionError:
    name, value = str(error["loc"][0]), str(error["input"])
    expected = error.get("ctx", {}).get("expected")
    if expected:
        return QuestionError(name, f"{quoted(value)} is not one of {expected.replace(chr(39), '')}")
    return QuestionError(name, f"{quoted(value)}: {error['msg'][0].lower()}{error['msg'][1:]}")
