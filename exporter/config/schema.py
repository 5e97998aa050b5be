"""The configuration as JSON Schema, for editors that complete and check it while one writes."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from exporter.config.model import Config


def config_schema() -> dict[str, Any]:
    """The schema of the configuration file, in the dialect 2020-12.

    It knows every key, its type and its bounds. Rules between keys are beyond it: `spend-exporter check`
    reports those. Names of keys from earlier versions are not in it.
    """
    schema = Config.model_json_schema(mode="validation")
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "Configuration of Spend Exporter",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def config_schema_text() -> str:
    """The schema as it is published: indented JSON that ends with a newline."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
