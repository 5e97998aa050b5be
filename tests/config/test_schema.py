"""The JSON Schema of the configuration accepts what the program accepts, and names what it refuses."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from exporter.config.model import Config, parse
from exporter.config.problems import ConfigError, every_key
from exporter.config.schema import config_schema, config_schema_text

ROOT = Path(__file__).parents[2]
INDENTED = re.compile(r"((?:^    .*\n|^\n)+)", re.MULTILINE)
FENCED = re.compile(r"```ya?ml\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(config_schema())


def configurations_in_the_docs() -> Iterator[tuple[str, object]]:
    for page in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]:
        text = page.read_text()
        for block in [*FENCED.findall(text), *INDENTED.findall(text)]:
            try:
                parse(textwrap.dedent(block), Path("/etc"))
                value = yaml.safe_load(textwrap.dedent(block))
            except (ConfigError, yaml.YAMLError):
                continue
            if isinstance(value, dict):
                yield page.name, value


def test_it_is_a_schema_and_the_published_one() -> None:
    jsonschema_rs.meta.validate(config_schema())
    published = ROOT / "docs" / "config.schema.json"
    assert published.read_text() == config_schema_text(), (
        "run: spend-exporter config schema > docs/config.schema.json"
    )


@pytest.mark.slow
def test_it_accepts_every_configuration_in_the_docs(validator: jsonschema_rs.Validator) -> None:
    examples = list(configurations_in_the_docs())
    assert len(examples) >= 15
    refused = [
        (page, error.instance_path, error.message)
        for page, value in examples
        for error in validator.iter_errors(value)
    ]
    assert refused == []


def test_it_accepts_the_example_that_has_every_key(validator: jsonschema_rs.Validator) -> None:
    value = yaml.safe_load((ROOT / "docs" / "spend-exporter.example.yml").read_text())
    assert [error.message for error in validator.iter_errors(value)] == []


@pytest.mark.parametrize(
    "text",
    [
        "listne: 127.0.0.1:1",
        "ledger_keep_days: 3",
        "gcp: {billing_export: {bigquery: {table: billing}}}",
        "gcp: {billing_export: {bigquery: {table: a1.b.c, max_bytes_billed: much}}}",
        "reports: [{name: monthly, period: month, top: 0}]",
    ],
)
def test_what_the_program_refuses_by_key_type_or_bound_the_schema_refuses_too(
    validator: jsonschema_rs.Validator, text: str
) -> None:
    with pytest.raises(ConfigError):
        parse(text, Path("/etc"))
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_every_key_has_a_description_for_the_editor() -> None:
    assert [path for path, field in every_key(Config) if not field.description] == []
