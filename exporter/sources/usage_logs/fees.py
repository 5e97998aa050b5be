"""What a call cost a fee for beside its tokens, by the name of its key: web searches, images that were drawn.

They are in no estimate, so that they are counted as unpriced, never taken for free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from exporter.sources.usage_logs.token_counts import whole_number
from exporter.sources.usage_logs.token_keys import snake_case

_SEARCHES: Final = re.compile(
    r"(?:^|[._])(?:web_)?search(?:es)?[._](?:requests?|queries|calls?|counts?|num_requests)$"
    r"|(?:^|[._])num(?:ber)?_(?:of_)?(?:web_)?search(?:es|_queries|_requests|_calls)?$"
    r"|(?:^|[._])(?:num_sources_used|web_searches|(?:grounding|search)_queries)$"
)
"""Anthropic's `server_tool_use.web_search_requests`, Perplexity's `num_search_queries`, xAI's sources."""
_FILE_SEARCHES: Final = re.compile(r"(?:^|[._])(?:num_)?file_search(?:es|_calls?|_requests?|_counts?)$")
_IMAGES: Final = re.compile(
    r"(?:^|[._])(?:(?:num|number_of|generated|output)_images?(?:_count)?|images?_(?:count|generated)|images)$"
)
_SESSIONS: Final = re.compile(
    r"(?:^|[._])(?:num_)?(?:code_interpreter|code_execution)_(?:sessions|requests|calls)$"
)
_SENT: Final = re.compile(r"prompt|input|message")
"""Images that a model looked at are tokens."""
_METERS: Final[Mapping[str, re.Pattern[str]]] = {
    "llm_file_searches": _FILE_SEARCHES,
    "llm_web_searches": _SEARCHES,
    "llm_images": _IMAGES,
    "llm_sessions": _SESSIONS,
}


def fees_of(flat: Mapping[str, Any]) -> dict[str, int]:
    """Return what costs a fee, by the meters of llm_meters.FEES. Raises UnusableLineError for a bad count.

    The same count under two names is taken once.
    """
    fees: dict[str, int] = {}
    for key, value in flat.items():
        meter = fee_meter(key)
        if meter is not None and value is not None and not isinstance(value, bool | list | dict):
            fees[meter] = max(fees.get(meter, 0), whole_number(value))
    return {meter: count for meter, count in fees.items() if count}


@lru_cache(maxsize=4096)
def fee_meter(key: str) -> str | None:
    """Return the meter that a key counts for; None for any other key."""
    words = snake_case(key)
    if _SENT.search(words):
        return None
    return next((meter for meter, pattern in _METERS.items() if pattern.search(words)), None)
