"""Which charges are LLM spend, and by which model they are shown: from the provider, service and SKU.

Such a charge stays where it is billed; it is shown a second time by model, never added a second time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from typing import Final, Literal

from exporter.analysis.llm.services import (
    LLM_PROVIDERS,
    LLM_SERVICES,
    LlmService,
    edition_model,
    service_kind,
)
from exporter.analysis.llm.sku_texts import plain_text

TokenType = Literal["input", "cache_read", "cache_write", "output", ""]

_LONGEST_NAME: Final = 1000
_MOST_WORDS: Final = 7

_FAMILIES: Final = (
    r"(?:gemini|gemma|palm|medlm|imagen|veo|lyria|learnlm)(?![a-z])",
    r"(?:text|multimodal|text multilingual) embedding(?![a-z])(?: ada)?",
    r"(?:text|chat|code|codechat) (?:bison|gecko)(?![a-z])",
    r"(?:text|text-multilingual)-embedding(?![a-z])",
    r"claude ?(?=\d|-|opus|sonnet|haiku|instant|\b)",
    r"(?:llama|mistral|mixtral|ministral|codestral|magistral|pixtral|devstral|jamba|deepseek|qwen)(?![a-z])",
    r"(?:gpt|chatgpt|codex|dall-e|dall e|whisper|sora|kimi|minimax|glm|grok|cohere|phi|nemotron)(?![a-z])",
    r"o[134](?= |-(?:mini|pro|preview|deep)|$)|tts[ -]\d|model router",
    r"nova (?:\d[\d.]* )?(?:pro|lite|micro|premier|canvas|reel|sonic|omni)(?![a-z])",
    r"titan (?:multimodal )?(?:text|embed\w*|image)(?![a-z])|command (?=r|a\b)",
)
"""How the names of models begin, in lower case, anywhere in a SKU's text."""

_FAMILY: Final = re.compile(rf"(?<![a-z0-9-])(?:{'|'.join(_FAMILIES)})")

_PARTNERS: Final = re.compile(r"(?:claude|llama|mistral|codestral|jamba|deepseek|qwen)\b.*\btokens?\b")
"""A SKU of a partner's model, which Google sells as a separate service per model."""

_ABOUT_MODELS: Final = re.compile(
    r"\b(?:tokens?|token count|grounding|generative|ptus?|provisioned (?:throughput|managed)"
    r"|context cach\w*)\b"
)
"""Words of a SKU that is LLM spend and names no model that is known."""

_END: Final = re.compile(
    r"text|images?|audio|speech|video|document|characters?|tokens?|requests?|number|count"
    r"|input|output|prompt|completion|response|inference|predictions?|generat(?:ion|ed|e)|batch|online"
    r"|cach(?:e|ed|ing)|storage|writes?|reads?|hits?|creation|long|short|context|thinking|grounding"
    r"|usage|ga|preview|priority|flex|standard|provisioned|throughput|regional|global|cross|geo|on-?demand"
    # As Microsoft shortens them.
    r"|inp|inpt|outp?|outpt|opt|glbl|gl|regn?l|rgnl|rgn|dz|dzn?|dzone|datazone|data|cchd|cach|cd|txt|aud|img"
    r"|bat|btch|pp|prty|ptu|hosting|lng|shrt|longco|shortco|ft|1m|1k"
    r"|supervised|tun(?:ing|ed)|training|in|for|on|per|with|at|to|of|the|a|and|[-:(].*"
)
"""Words of a SKU after which the name of a model has ended."""

_NOT_AFTER_IMAGE: Final = frozenset({"input", "output", "token", "tokens", "inp", "outp", "opt"})

_PLACE: Final = re.compile(
    r"(?:us|europe|eu|asia|me|africa|australia|northamerica|southamerica)(?:-[a-z]+\d*)+|\d+[mh]|\d+p"
)

_TYPES: Final[tuple[tuple[re.Pattern[str], TokenType], ...]] = (
    (re.compile(r"\b(?:storage|grounding|web search)\b"), ""),
    (
        re.compile(
            r"\bcach\w* (?:\d+[mh] )?(?:writes?|creation|create)|\bcreat\w+ (?:of )?cache|\bwrites? to cache"
        ),
        "cache_write",
    ),
    (re.compile(r"\b(?:cach|cchd)"), "cache_read"),
)
"""Token type by the words of a SKU; the first match counts."""

_DIRECTION: Final = re.compile(r"\b(input|prompt|inpt?|output|completion|response|outp?t?|opt)s?\b")
_LENGTH: Final = re.compile(r"\b(?:long|short) (?:input|output)\b|\(.*?\)")


def llm_model(
    provider: str,
    service_id: str,
    sku_id: str,
    sku: str,
    *,
    services: Mapping[str, LlmService] = LLM_SERVICES,
    providers: Collection[str] = LLM_PROVIDERS,
) -> str | None:
    """Return the model of a charge that is LLM spend, or None where it is not.

    The empty string is LLM spend whose SKU names no model: a web search, a cached hour, a platform fee. For
    a service of `models`, a SKU without a model and without tokens is not LLM spend: training on one's own
    machines, pipelines, endpoints that serve one's own models, vector search.
    """
    if provider in providers:
        model, slash, _ = sku_id.partition("/")
        return model[:_LONGEST_NAME] if slash else _named_model(plain_text("", sku))
    kind = service_kind(provider, service_id, services)
    # Most of a bill is neither, so that this is decided first and cheaply.
    if kind is None and (provider != "gcp" or "token" not in sku.lower()):
        return None
    text = plain_text(provider, sku)
    if kind is None:
        return _named_model(text) if _PARTNERS.match(text) else None
    model = edition_model(provider, service_id) or _named_model(text) or _leading_model(text)
    if model:
        return model
    return "" if kind == "all" or _ABOUT_MODELS.search(text) else None


def token_type(sku: str) -> TokenType:
    """Return which tokens a SKU is about, or the empty string where it does not say or is about no tokens."""
    text = plain_text("", sku.replace("-", " "))
    for pattern, kind in _TYPES:
        if pattern.search(text):
            return kind
    # "output token count gemini 2.5 flash short input text": how long the input was is not a direction.
    found = _DIRECTION.search(_LENGTH.sub(" ", text)) or _DIRECTION.search(text)
    if found is None:
        return ""
    return "input" if found.group(1)[:2] in ("in", "pr") else "output"


def _named_model(text: str) -> str:
    """The name of a model of a known family, or nothing."""
    found = _FAMILY.search(text)
    if found is None:
        return ""
    # The family's own words belong to the name, with their suffixes: "gpt-4o-2024-08-06", "text embedding".
    words, own = text[found.start() :].split(), len(found.group().split())
    return _joined([*words[:own], *_until_the_end(words[own:], begun=True)])


def _leading_model(text: str) -> str:
    """The text before the words of a token SKU, for models of unknown families."""
    if not re.search(r"\btokens?\b|- predictions\b", text):
        return ""
    return _joined(_until_the_end(text.split()))


def _until_the_end(words: list[str], *, begun: bool = False) -> list[str]:
    name: list[str] = []
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        # In "Flash Image Text Input" the image is the model's, in "Flash Image Input" it is what goes in.
        of_the_model = word == "image" and (name or begun) and following not in _NOT_AFTER_IMAGE
        if (_END.fullmatch(word) and not of_the_model) or _PLACE.fullmatch(word) or len(name) == _MOST_WORDS:
            break
        name.append(word)
    return name


def _joined(words: list[str]) -> str:
    name = "-".join(word.strip("-.") for word in words if word.strip("-."))
    # Anthropic writes claude-sonnet-4-5 where Google's bill has "Claude Sonnet 4.5".
    return name.replace(".", "-") if name.startswith("claude") else name
