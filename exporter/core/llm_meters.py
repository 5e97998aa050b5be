"""The meters of LLM usage: names that sources write and metric families read.

A usage point of theirs has the model as its resource; its project is the provider's own, or a proxy's team.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TOKENS: Final = "llm_tokens"
"""Tokens; the dimension is their type: input, cache_read, cache_write or output, each token in one."""
REQUESTS: Final = "llm_requests"
LIST_USD: Final = "llm_list_usd"
"""US dollars at list prices."""
UNPRICED_TOKENS: Final = "llm_unpriced_tokens"
"""Tokens without a known price."""

FEES: Final[Mapping[str, str]] = {
    "llm_web_searches": "searches",
    "llm_file_searches": "searches",
    "llm_images": "images",
    "llm_characters": "characters",
    "llm_audio_seconds": "seconds",
    "llm_sessions": "sessions",
    "llm_vector_store_byte_seconds": "byte-seconds",
}
"""Meters of what costs a fee of its own beside tokens, with their units. Their cost is in no estimate."""

PROXY_USD: Final = "llm_proxy_usd"
"""US dollars as a proxy calculates them: attribution, never in a total. The revision is a key's alias."""
PROXY_TOKENS: Final = "llm_proxy_tokens"
PROXY_REQUESTS: Final = "llm_proxy_requests"

VERTEX_TOKENS: Final = "vertex_tokens"
"""What Cloud Monitoring reports of Vertex AI; the dimension is input or output."""

OPENAI_SERVICE: Final = ("openai-api", "OpenAI API")
"""Id and name of the service of OpenAI's charges."""
ANTHROPIC_SERVICE: Final = ("claude-api", "Claude API")

STAND_IN_SERVICE_NAME: Final = "LLM API"
"""Service of estimated money of a provider without a bill."""

GCP_LLM_SERVICE_IDS: Final = ("C7E2-9256-1C43", "AEFD-7695-64FA")
"""Vertex AI and the Gemini API, as the ids of services in Google's billing export."""
