"""The meters of LLM usage: names that sources write and metric families read.

A usage point of theirs has the model as its resource; its project is the provider's own, or a proxy's team.
"""

from __future__ import annotations

from typing import Final

TOKENS: Final = "llm_tokens"
"""Tokens; the dimension is their type: input, cache_read, cache_write or output, each token in one."""
REQUESTS: Final = "llm_requests"
LIST_USD: Final = "llm_list_usd"
"""US dollars at list prices."""
UNPRICED_TOKENS: Final = "llm_unpriced_tokens"
"""Tokens of models without a known price."""

PROXY_USD: Final = "llm_proxy_usd"
"""US dollars as a proxy calculates them: attribution, never in a total. The revision is a key's alias."""
PROXY_TOKENS: Final = "llm_proxy_tokens"
PROXY_REQUESTS: Final = "llm_proxy_requests"

VERTEX_TOKENS: Final = "vertex_tokens"
"""Tokens of Vertex AI from Cloud Monitoring; the dimension is input or output."""

OPENAI_SERVICE: Final = ("openai-api", "OpenAI API")
"""Id and name of the service of OpenAI's charges."""
ANTHROPIC_SERVICE: Final = ("claude-api", "Claude API")

STAND_IN_SERVICE_NAME: Final = "LLM API"
"""Service of estimated money of a provider that no source bills."""


GCP_LLM_SERVICE_IDS: Final = ("C7E2-9256-1C43", "AEFD-7695-64FA")
"""Vertex AI and the Gemini API, as the ids of services in Google's billing export."""
