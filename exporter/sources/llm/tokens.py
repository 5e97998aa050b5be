"""Counts of LLM tokens by what they cost, and the terms under which a call was served.

No token is in two of the four types; audio, images, reasoning and long-lived cache are parts of a type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

INPUT: Final = "input"
CACHE_READ: Final = "cache_read"
CACHE_WRITE: Final = "cache_write"
OUTPUT: Final = "output"

TOKEN_TYPES: Final = (INPUT, CACHE_READ, CACHE_WRITE, OUTPUT)
"""Values of the label `token_type`; disjoint, so that their sum is all tokens."""

PartKind = Literal["audio", "image", "reasoning", "1h"]
"""What has a price of its own within a token type; `1h` are tokens that stay in a cache for an hour."""


class Part(NamedTuple):
    """Some tokens of a type that may cost something else than the rest of it."""

    token_type: str
    kind: PartKind
    tokens: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts by type; no token is in two of them."""

    input: int = 0
    """Sent and neither read from a cache nor written to one."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    parts: tuple[Part, ...] = ()
    """Of the counts above. Raises ValueError where the parts of a type exceed it."""

    def __post_init__(self) -> None:
        """Refuse parts that are more than the whole."""
        for token_type, rest in self.plain().items():
            if rest < 0:
                raise ValueError(f"the parts of {token_type} add up to more than all of it")

    def by_type(self) -> dict[str, int]:
        """Return the counts by TOKEN_TYPES."""
        counts = (self.input, self.cache_read, self.cache_write, self.output)
        return dict(zip(TOKEN_TYPES, counts, strict=True))

    def plain(self) -> dict[str, int]:
        """Return the counts by TOKEN_TYPES without the tokens of any part."""
        counts = self.by_type()
        for part in self.parts:
            counts[part.token_type] -= part.tokens
        return counts

    @property
    def all_input(self) -> int:
        """All that was sent; it decides whether the prices for a long context hold."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Terms:
    """How a call was served, as far as that changes its price. Empty is the ordinary way."""

    service_tier: str = ""
    """`flex`, `priority`, `batch`, … as the provider reports it."""
    speed: str = ""
    """`fast` where the provider has a faster mode."""
    inference_geo: str = ""
    """Where the call had to be computed: `us`, `global`, …"""


STANDARD: Final = Terms()
