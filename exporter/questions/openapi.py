"""The description of the questions in OpenAPI 3.1, made from the models that read and write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from exporter import __version__
from exporter.questions.cost_answer import CostAnswer, Problem
from exporter.questions.cost_question import CostParameters
from exporter.questions.explain_answer import ExplainAnswer, ExplainParameters
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters

_REFERENCE: Final = "#/components/schemas/{model}"

_REFUSED: Final[Mapping[str, str]] = {
    "400": "The question is wrong; the text says what to do.",
    "401": "A user name and a password are needed.",
    "403": "The client certificate has no name that is allowed.",
    "405": "Only GET and HEAD are allowed.",
    "429": "Too many questions at once; ask again after the time in Retry-After.",
    "503": "The answer took too long, or the ledger cannot be read now.",
}
_AS_JSON: Final = ("400", "429", "503")


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Leave out titles, which only repeat the members' names."""
        return False


def openapi_document() -> dict[str, Any]:
    """Return the description."""
    _, made = models_json_schema(
        [(each, "serialization") for each in (CostAnswer, ExplainAnswer, Report, Problem)],
        schema_generator=_WithoutTitles,
        ref_template=_REFERENCE,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spend Exporter: questions about cost",
            "version": __version__,
            "description": "What was billed, when and on what, from the ledger of a running exporter.",
        },
        "paths": {
            "/api/v1/costs": {
                "get": _operation(
                    "costs",
                    "What was billed, when and on what",
                    CostParameters,
                    CostAnswer,
                    other_types=("text/csv",),
                )
            },
            "/api/v1/explain": {
                "get": _operation(
                    "explain",
                    "Why a cost changed",
                    ExplainParameters,
                    ExplainAnswer,
                    other_types=("text/plain",),
                )
            },
            "/api/v1/report": {
                "get": _operation(
                    "report",
                    "What a month, a week or a day has cost",
                    ReportParameters,
                    Report,
                    other_types=("text/markdown", "text/csv"),
                )
            },
        },
        "components": {
            "schemas": made["$defs"],
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"basic": []}],
    }


@cache
def openapi_json() -> str:
    """Return the description as it is served and kept in the docs; made once, as it takes milliseconds."""
    return json.dumps(openapi_document(), indent=2) + "\n"


def _operation(
    name: str,
    summary: str,
    parameters: type[BaseModel],
    answer: type[BaseModel],
    *,
    other_types: Sequence[str],
) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(model=answer.__name__)}
    answered = {
        "description": "The answer.",
        "content": {
            "application/json": {"schema": schema},
            **{each: {"schema": {"type": "string"}} for each in other_types},
        },
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": _parameters(parameters),
        "responses": {"200": answered, **{code: _refusal(code) for code in _REFUSED}},
    }


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    properties = model.model_json_schema(schema_generator=_WithoutTitles)["properties"]
    return [
        {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
        for name, schema in properties.items()
        if (description := " ".join(schema.pop("description", "").split())) is not None
    ]


def _refusal(code: str) -> dict[str, Any]:
    if code not in _AS_JSON:
        return {"description": _REFUSED[code], "content": {"text/plain": {"schema": {"type": "string"}}}}
    schema = {"$ref": _REFERENCE.format(model=Problem.__name__)}
    return {"description": _REFUSED[code], "content": {"application/json": {"schema": schema}}}
