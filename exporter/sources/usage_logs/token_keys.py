"""What the name of a token count means, in whichever of the many spellings a tool wrote it.

A name that speaks of cache, audio, images or reasoning and is not understood is reported, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from exporter.sources.llm.tokens import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT

TOTAL: Final = "total"

Kind = Literal["", "audio", "image", "text", "reasoning", "5m", "1h", "tools"]


class Meaning(NamedTuple):
    """What a count is of."""

    token_type: str
    """INPUT (all that was sent), CACHE_READ, CACHE_WRITE, OUTPUT or TOTAL."""
    kind: Kind = ""
    """A part of that type, or all of it."""


UNKNOWN: Final = "unknown"
"""A count that may have its own price and is not understood."""

_WORD: Final = re.compile(r"\d+[a-z]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_COUNT_OF_THINGS: Final = re.compile(r"(?:image|audio)s?_?counts?$", re.IGNORECASE)
"""How many images, not how many tokens they are."""
_OF_TOKENS: Final = frozenset({"token", "tokens", "usage"})
_COUNTS: Final = _OF_TOKENS | {"count", "counts"}
_INPUT: Final = frozenset({"input", "prompt", "inputs"})
_OUTPUT: Final = frozenset({"output", "completion", "candidates", "outputs"})
_CACHE: Final = frozenset({"cache", "cached", "caching", "ephemeral"})
_WRITE: Final = frozenset(
    {"write", "writes", "written", "creation", "creations", "create", "created", "ephemeral"}
)
_READ: Final = frozenset({"read", "reads", "hit", "hits", "cached"})
_REASONING: Final = frozenset({"reasoning", "thinking", "thoughts", "thought"})
_PARTS: Final[Mapping[str, Kind]] = {
    "audio": "audio",
    "image": "image",
    "images": "image",
    "text": "text",
    "5m": "5m",
    "5min": "5m",
    "1h": "1h",
    "1hr": "1h",
    "60m": "1h",
}
_RESULTS_OF_TOOLS: Final = frozenset({"tool", "use", "prompt"})
"""Gemini counts what its own tools found beside the prompt."""
_SPECIAL: Final = _CACHE | _REASONING | {"audio", "image", "images", "video"}

_MEANINGLESS: Final = (
    _COUNTS
    | {"gen", "ai", "llm", "openai", "anthropic", "google", "gcp", "vertex", "aws", "bedrock", "azure"}
    | {"langfuse", "observation", "response", "attributes", "metadata", "object", "metrics", "standard"}
    | {"detail", "details", "number", "num", "of", "content", "total", "the", "usd"}
)
"""Words that do not change which tokens are counted."""

_NO_COUNT: Final = frozenset(
    {"cost", "costs", "usd", "price", "ms", "latency", "duration", "time", "ttl", "savings", "saved"}
    | {"ratio", "rate", "percent", "score", "budget", "max", "limit", "effort", "enabled", "key", "id"}
    | {"hash", "size", "width", "height", "url", "request", "retention", "index", "version"}
)
"""Words of numbers that are not counts: settings, times, costs."""


def snake_case(key: str) -> str:
    """Return a key with its words in lower case and underscores between them; dots stay."""
    return _CAMEL.sub("_", key).lower()


_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")


@lru_cache(maxsize=4096)
def meaning(key: str) -> Meaning | Literal["unknown"] | None:
    """Return what a key counts; None where it counts no tokens, or only what other keys count already."""
    words = frozenset(word.lower() for word in _WORD.findall(key))
    special = bool(words & _SPECIAL)
    of_tokens = bool(words & _OF_TOKENS) and not _COUNT_OF_THINGS.search(key)
    if words & _NO_COUNT or not (special or of_tokens):
        return None
    if not special:
        return _plain(words)
    return _special(words) if of_tokens else UNKNOWN


def _plain(words: frozenset[str]) -> Meaning | None:
    sent, made = bool(words & _INPUT), bool(words & _OUTPUT)
    if words - _MEANINGLESS == _RESULTS_OF_TOOLS:
        return Meaning(INPUT, "tools")
    # Text is what is left of all input and output without sound and images, so that it needs no count.
    if words - _INPUT - _OUTPUT - _MEANINGLESS:
        return None
    if sent != made:
        return Meaning(INPUT if sent else OUTPUT)
    return Meaning(TOTAL) if "total" in words and not sent else None


def _special(words: frozenset[str]) -> Meaning | Literal["unknown"] | None:
    if words & _CACHE and "miss" in words:
        # What the cache did not have is the rest of the input.
        return None
    sent, made = bool(words & _INPUT), bool(words & _OUTPUT)
    kinds = {_PARTS[word] for word in words & _PARTS.keys()}
    if (sent and made) or len(kinds) > 1:
        return UNKNOWN
    rest = words - _INPUT - _OUTPUT - _MEANINGLESS - _PARTS.keys()
    kind: Kind = next(iter(kinds), "")
    found: Meaning | None = None
    if words & _CACHE:
        found = None if made or rest - _CACHE - _WRITE - _READ else _cached(words, kind)
    elif words & _REASONING:
        found = None if sent or kind or rest - _REASONING else Meaning(OUTPUT, "reasoning")
    elif not rest and sent != made and kind in ("audio", "image"):
        found = Meaning(INPUT if sent else OUTPUT, kind)
    return found or UNKNOWN


def _cached(words: frozenset[str], kind: Kind) -> Meaning | None:
    if words & _WRITE:
        return Meaning(CACHE_WRITE, kind)
    return Meaning(CACHE_READ, kind) if words & _READ and kind not in ("5m", "1h") else None
