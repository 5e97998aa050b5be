"""From the counts of one call, as its log has them, to disjoint tokens.

In a log what concerns the cache is a part of the input, and sound and images are parts of input and output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from exporter.sources.llm.tokens import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, Part, PartKind, Tokens
from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.token_keys import TOTAL, UNKNOWN, Kind, Meaning, meaning

_MOST_TOKENS: Final = 10**12

Counts = dict[Meaning, int]


def counts_of(flat: Mapping[str, Any], *, priced: bool) -> Counts:
    """Return what the keys of a call count; the same count under two names is taken once.

    `priced` says that the cost is known, so that a count which is not understood does no harm. Raises
    UnusableLineError.
    """
    counts: Counts = {}
    unknown = []
    for key, value in flat.items():
        if value is None or isinstance(value, list):
            continue
        found = meaning(key)
        if isinstance(found, Meaning):
            counts[found] = max(counts.get(found, 0), whole_number(value))
        elif found == UNKNOWN and _counts_something(value):
            unknown.append(key)
    if (of_tools := counts.pop(Meaning(INPUT, "tools"), 0)) > 0:
        counts[Meaning(INPUT)] = counts.get(Meaning(INPUT), 0) + of_tools
    if any("candidates" in key.lower() for key in flat):
        # Gemini's own counts.
        count_reasoning_beyond_output(counts)
    if unknown and not priced:
        raise UnusableLineError("unknown_token_key", ", ".join(sorted(unknown)))
    return counts


def count_reasoning_beyond_output(counts: Counts) -> None:
    """Note that reasoning is not in the output, where no total shows whether it is."""
    if Meaning(OUTPUT, "reasoning") in counts and Meaning(TOTAL) not in counts:
        kinds = (Meaning(INPUT), Meaning(OUTPUT), Meaning(OUTPUT, "reasoning"))
        counts[Meaning(TOTAL)] = sum(counts.get(each, 0) for each in kinds)


def has_tokens(counts: Counts) -> bool:
    """Say whether a call has any count of what was sent or made."""
    return any(each.token_type != TOTAL for each in counts)


def has_cache_beside_input(flat: Mapping[str, Any]) -> bool:
    """Say whether a call has the usage object of Anthropic or Bedrock, with the cache beside the input.

    Tools that translate it write `prompt_tokens`, or names of their own.
    """
    return any(sent in flat and not flat.keys().isdisjoint(cached) for sent, cached in _NATIVE_COUNTS)


_NATIVE_COUNTS: Final = (
    ("usage.input_tokens", ("usage.cache_read_input_tokens", "usage.cache_creation_input_tokens")),
    ("usage.inputTokens", ("usage.cacheReadInputTokens", "usage.cacheWriteInputTokens")),
)
"""https://platform.claude.com/docs/en/build-with-claude/prompt-caching and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html"""

CacheBeside = Literal["yes", "perhaps", "no"]
"""Whether cached tokens may be beside the input: `perhaps` where the numbers have to show it."""


def disjoint(counts: Counts, cache_beside: CacheBeside = "no") -> Tokens:
    """Return tokens of which none is in two types. Raises UnusableLineError."""
    cache_read = _whole(counts, CACHE_READ, "audio", "image", "text")
    cache_write = max(
        _whole(counts, CACHE_WRITE, "5m", "1h"), _whole(counts, CACHE_WRITE, "audio", "image", "text")
    )
    cached = cache_read + cache_write
    output = _all_output(counts, cached)
    plain = counts.get(Meaning(INPUT), 0)
    if not _beside(cache_beside, plain, cached, counts.get(Meaning(TOTAL)), output):
        plain -= cached
    if plain < 0:
        raise UnusableLineError("cache_exceeds_input")
    if not any(each.kind for each in counts):
        return Tokens(plain, cache_read, cache_write, output)
    split = _Split({INPUT: plain, CACHE_READ: cache_read, CACHE_WRITE: cache_write, OUTPUT: output})
    split.take(CACHE_WRITE, "1h", counts.get(Meaning(CACHE_WRITE, "1h"), 0))
    for kind in _MODALITIES:
        _take_sent(counts, kind, split)
        split.take(OUTPUT, kind, counts.get(Meaning(OUTPUT, kind), 0))
    split.take_at_most(OUTPUT, "reasoning", counts.get(Meaning(OUTPUT, "reasoning"), 0))
    return Tokens(plain, cache_read, cache_write, output, tuple(split.parts))


_MODALITIES: Final[tuple[Literal["audio", "image"], ...]] = ("audio", "image")


@dataclass(slots=True)
class _Split:
    """Takes parts out of token types, never more than there are."""

    left: dict[str, int]
    parts: list[Part] = field(default_factory=list)

    def take_at_most(self, token_type: str, kind: PartKind, tokens: int) -> int:
        """Take as many as there are, and return how many more were wanted."""
        taken = min(tokens, self.left[token_type])
        self.left[token_type] -= taken
        if taken:
            self.parts.append(Part(token_type, kind, taken))
        return tokens - taken

    def take(self, token_type: str, kind: PartKind, tokens: int) -> None:
        """Take all of them. Raises UnusableLineError where there are fewer."""
        if self.take_at_most(token_type, kind, tokens):
            raise UnusableLineError("part_exceeds_whole")


def _take_sent(counts: Counts, kind: Literal["audio", "image"], split: _Split) -> None:
    """Take sound or images out of the input, which has the cached ones in it."""
    cached = counts.get(Meaning(CACHE_READ, kind), 0)
    written = counts.get(Meaning(CACHE_WRITE, kind), 0)
    sent = max(0, counts.get(Meaning(INPUT, kind), 0) - cached - written)
    # Which tokens the cache held is often not known. Text first, as system prompts are text.
    beyond = split.take_at_most(INPUT, kind, sent)
    split.take(CACHE_READ, kind, cached + beyond)
    split.take(CACHE_WRITE, kind, written)


def _all_output(counts: Counts, cached: int) -> int:
    """Return what was made, with reasoning in it, which some providers count beyond the output."""
    output, reasoning = counts.get(Meaning(OUTPUT), 0), counts.get(Meaning(OUTPUT, "reasoning"), 0)
    sent, total = counts.get(Meaning(INPUT), 0), counts.get(Meaning(TOTAL))
    everything = sent + output + reasoning
    beyond = reasoning > output or total in (everything, everything + cached)
    return output + reasoning if beyond else output


def _beside(beside: CacheBeside, plain: int, cached: int, total: int | None, output: int) -> bool:
    """Say whether cached tokens are beside the input. A total shows it for certain."""
    if not cached or total == plain + cached + output:
        return bool(cached)
    if total == plain + output and cached <= plain:
        return False
    return beside == "yes" or (beside == "perhaps" and cached > plain)


def _whole(counts: Counts, token_type: str, *kinds: Kind) -> int:
    """Return all of a type: as it is counted, or else the sum of its parts."""
    parts = sum(counts.get(Meaning(token_type, kind), 0) for kind in kinds)
    return max(counts.get(Meaning(token_type), 0), parts)


def _counts_something(value: object) -> bool:
    """Say whether a value is a number above zero, also as a text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return False
    try:
        return Decimal(value) > 0
    except InvalidOperation:
        return False


def whole_number(value: object) -> int:
    """Return a count of tokens. Raises UnusableLineError."""
    counted = number(value, "bad_tokens")
    if counted < 0:
        raise UnusableLineError("negative_tokens")
    if counted >= _MOST_TOKENS or counted != int(counted):
        raise UnusableLineError("bad_tokens")
    return int(counted)


def number(value: object, otherwise: str) -> Decimal:
    """Return a number, also one written as a text, as exporters of 64-bit integers do.

    Raises UnusableLineError with the reason `otherwise`.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise UnusableLineError(otherwise)
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise UnusableLineError(otherwise) from None
    # Numbers with larger exponents are not amounts, and would take very long to write out.
    if not found.is_finite() or not -60 <= found.adjusted() <= 60:
        raise UnusableLineError(otherwise)
    return found
