"""The description of the API in the docs."""

from __future__ import annotations

from exporter.questions.openapi import openapi_json
from tests.support.places import DOCS


def test_the_description_in_the_docs_is_that_of_the_models() -> None:
    """To renew it: python -c 'from exporter.questions.openapi import *; print(openapi_json(), end="")'."""
    assert (DOCS / "openapi.json").read_text() == openapi_json()
