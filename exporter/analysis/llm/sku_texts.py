"""Takes from a SKU's text what is not the name of a model: prices, regions, abbreviations of a cloud.

What is left is in plain words, in which the name can be found.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST_TEXT: Final = 1000

_AWS_PRICE: Final = re.compile(r"^\s*\$?\s*[\d.,]+(?:[eE]-?\d+)?\s+(?:per|for)\b\s*")
_AWS_QUANTITY: Final = re.compile(r"^[\d.,]*\s*(?:k|m|million|thousand)?\b\s*", re.IGNORECASE)
_AWS_PLACE: Final = re.compile(r"\s+in\s+[A-Z][\w. ]+(?:\([^)]*\))?\s*$")
_AWS_REGION: Final = re.compile(
    r"(?:^|(?<=[\s:|]))(?:US|EU|AP|SA|CA|ME|AF|IL|MX|UG|CN)[A-Z]{0,2}\d?[-_](?=[A-Za-z])"
)
_CAMEL: Final = re.compile(
    r"(?<=[a-z])(?=[A-Z])(?!(?<=Deep)Seek)(?!(?<=Mini)Max)|(?<=[a-z]{2})(?=\d)|(?<=\d)(?=[A-Z][a-z])"
)
"""Where a word begins in `Nova2.0Lite` and `MistralLarge2407`, but not in the names DeepSeek and MiniMax."""
_AWS_VERSION: Final = re.compile(r"(?<=[a-z]\d)-(?=\d-)")
"""`Llama3-1-405B` is 3.1."""

_AZURE_PRODUCT: Final = re.compile(
    r"^\s*(?:azure|microsoft)?\s*(?:openai|ai foundry|foundry)(?: service)?(?: [\w.]+)? - ", re.IGNORECASE
)
_AZURE_PLACE: Final = re.compile(r" - [\w ]+$")
_BARE_VERSION: Final = re.compile(r"^(?=\d+(?:\.\d+)?o?\b)")


def plain_text(provider: str, sku: str) -> str:
    """Return a text in lower case, one space between words, without marks that are no part of a name."""
    text = sku[:_LONGEST_TEXT]
    if provider == "aws":
        text = _of_aws(text)
    elif provider == "azure":
        text = _of_azure(text)
    text = re.sub(r"[()]", lambda mark: f" {mark.group()} ", text.lower())
    return " ".join(re.sub(r"[^\w.:@()-]|_", " ", text).split())


def _of_aws(text: str) -> str:
    """Take the usage type out: `$0.00033 per 1K tokens for USE1-Nova2.0Lite-input-tokens in US East`."""
    text, prices = _AWS_PRICE.subn("", text)
    if prices:
        _, following, model = text.partition(" for ")
        text = model if following else _AWS_QUANTITY.sub("", text)
    text = _AWS_REGION.sub("", _AWS_PLACE.sub("", text))
    return _CAMEL.sub(" ", _AWS_VERSION.sub(".", text).replace("-", " "))


def _of_azure(text: str) -> str:
    """Take the meter out: `Azure OpenAI - gpt 4o 0806 Input global - US East 2`, `5.4 opt Gl`."""
    text = _AZURE_PLACE.sub("", _AZURE_PRODUCT.sub("", text))
    # Models of OpenAI have no name of their own in short meters.
    return _BARE_VERSION.sub("gpt ", text.strip().replace("-", " "))
