"""What the demo world's company uses language models for: projects, workspaces, keys, and each workload.

To let it call one more model, add one row to WORKLOADS (and its price to llm_prices).
"""

# ruff: noqa: E501 -- a table is read row by row

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from exporter.simulator.llm.prices import Amount

Provider = Literal["openai", "anthropic", "mistral"]
Endpoint = Literal[
    "completions",
    "embeddings",
    "moderations",
    "images",
    "audio_speeches",
    "audio_transcriptions",
    "vector_stores",
    "code_interpreter_sessions",
    "messages",
    "chat",
]
"""The part of a provider's API; OpenAI's are named as in its usage API."""


@dataclass(frozen=True, slots=True)
class LlmProject:
    """A project (OpenAI) or workspace (Anthropic), with the key that its calls are made with."""

    id: str
    """Empty for Anthropic's default workspace."""
    name: str
    api_key_id: str
    user_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """One model called by one application of one project."""

    provider: Provider
    endpoint: Endpoint
    model: str
    project: LlmProject
    service: str
    """The application that calls."""
    requests_per_day: float
    """Mean when the world begins."""
    per_request: Mapping[Amount, float]
    """Means of what one request counts."""
    season: str
    """Key of company.SEASONS."""
    noise: float = 0.12
    """Standard deviation of the logarithm of hourly requests."""
    growth: float = 0.1
    """Growth of requests in 30 days, as a share."""
    batch: bool = False
    runaway: bool = False
    """Whether the world's incident multiplies its requests."""
    logged: bool = False
    """Whether the application writes each of its calls to the usage log."""
    logs_cost: bool = False
    """Whether it writes what a call cost, too."""

    @property
    def name(self) -> tuple[str, ...]:
        """A unique name: its streams of randomness are named by it."""
        return (self.provider, self.endpoint, self.model, self.project.id, self.service)


ORGANIZATION_ID: Final = "org-Nw7mQk2RzLpX4dTgYbVh9sJc"
ORGANIZATION_NAME: Final = "Northwind"
SPEND_LIMIT_CENTS: Final = 400_000
"""What OpenAI lets the organization spend in a month."""

_SUPPORT: Final = LlmProject(
    "proj_Qm4vTz8nWcYx1RkLbH6sJdPa", "support-bot", "key_t6XbW2mZqR9sLkYd", "user-Hk3nVr8QzTbM5wXy"
)
_SEARCH: Final = LlmProject(
    "proj_Zc7hLd2kVbNs9TqXwR5mGfYe", "search", "key_pJ4vNc8KdTz1RwQh", "user-Bw9mLc2TzKqX7sRd"
)
_COPY: Final = LlmProject(
    "proj_Ry1nKp6tSgWq3ZxMbV8cDhLa", "product-copy", "key_y8LmHs3VbXf5GqTn", "user-Bw9mLc2TzKqX7sRd"
)
_TOOLS: Final = LlmProject(
    "proj_Lx5wFb9jMtCv7NqHzK2rSgPd", "internal-tools", "key_c2RkDz7WnJp6YtMv", "user-Tq6zNf1WxVjK4mLp"
)

_REVIEW: Final = LlmProject(
    "wrkspc_01PkT9vXmQz4LwRb7HnYcGdS",
    "code-review",
    "apikey_01Vb6RmNz8KtQw3XyHcLpJdF",
    "user_01Mz5TkWxR8vQbL2nYcHpGdJ",
)
_INTAKE: Final = LlmProject(
    "wrkspc_01JhW3zLcRn8VtXq5MbKyPfG",
    "document-intake",
    "apikey_01Hx2TcLw9QnVk7RzMbYpGsD",
    "user_01Qn7VbXzT3kLwR9mHcYpJdF",
)
_DEFAULT: Final = LlmProject(
    "", "Default", "apikey_01Ny5WkBz4RtXm8QvLcHpTdJ", "user_01Mz5TkWxR8vQbL2nYcHpGdJ"
)

_PARIS: Final = LlmProject("", "default", "")

_GPT_4O: Final = "gpt-4o-2024-08-06"
_MINI: Final = "gpt-4o-mini-2024-07-18"
_SONNET: Final = "claude-sonnet-4-5-20250929"
_HAIKU: Final = "claude-haiku-4-5-20251001"

WORKLOADS: Final[tuple[Workload, ...]] = (
    # OpenAI: the support bot on the web site, its voice line, search, and texts for the catalogue
    Workload("openai", "completions", _GPT_4O, _SUPPORT, "support-bot", 6000, {"input": 900, "cache_read": 1400, "output": 280}, "traffic", growth=0.15, runaway=True),
    Workload("openai", "completions", _MINI, _SUPPORT, "intent-router", 14_000, {"input": 600, "output": 60}, "traffic", growth=0.15),
    Workload("openai", "moderations", "omni-moderation-latest", _SUPPORT, "support-bot", 6000, {"input": 180}, "traffic"),
    Workload("openai", "audio_transcriptions", "whisper-1", _SUPPORT, "voice-line", 300, {"seconds": 45}, "work", 0.25),
    Workload("openai", "audio_speeches", "tts-1", _SUPPORT, "voice-line", 200, {"characters": 350}, "work", 0.25),
    Workload("openai", "embeddings", "text-embedding-3-small", _SEARCH, "search", 90_000, {"input": 220}, "traffic", 0.08),
    Workload("openai", "completions", _MINI, _SEARCH, "reranker", 30_000, {"input": 1500, "output": 40}, "traffic", 0.08),
    Workload("openai", "vector_stores", "vector-stores", _SEARCH, "search", 1440, {"byte_days": 8_400_000}, "steady", 0.003, 0.06),
    Workload("openai", "completions", "gpt-5.1-2025-11-13", _COPY, "catalogue-texts", 1000, {"input": 2200, "output": 900}, "night", 0.2, batch=True),
    Workload("openai", "images", "gpt-image-1", _COPY, "catalogue-images", 120, {"images": 1}, "work", 0.3),
    Workload("openai", "completions", "gpt-5.4-mini-2026-03-17", _TOOLS, "meeting-notes", 160, {"input": 3000, "cache_read": 1000, "output": 500}, "work", 0.25, logged=True),
    Workload("openai", "code_interpreter_sessions", "code-interpreter", _TOOLS, "data-questions", 60, {"sessions": 1}, "work", 0.3),
    # Anthropic: code review, documents that come in, and calls outside any workspace
    Workload("anthropic", "messages", _SONNET, _REVIEW, "code-review", 900, {"input": 2500, "cache_read": 16_000, "cache_write": 2400, "output": 1100}, "work", 0.2, 0.2),
    Workload("anthropic", "messages", _HAIKU, _REVIEW, "commit-messages", 3000, {"input": 1200, "cache_read": 3000, "cache_write": 200, "output": 250}, "work", 0.2, 0.2),
    Workload("anthropic", "messages", _HAIKU, _INTAKE, "document-intake", 3000, {"input": 3500, "output": 400}, "night", 0.15, batch=True),
    Workload("anthropic", "messages", _SONNET, _DEFAULT, "experiments", 150, {"input": 4000, "cache_write_1h": 500, "output": 900, "web_searches": 0.2}, "work", 0.5, 0.05),
    # Mistral: no API reports its bill; the applications log their calls
    Workload("mistral", "chat", "mistral-medium-2508", _PARIS, "contract-summaries", 300, {"input": 60_000, "output": 2500}, "work", 0.25, logged=True, logs_cost=True),
    Workload("mistral", "chat", "mistral-small-2506", _PARIS, "ticket-tags", 380, {"input": 900, "output": 25}, "traffic", 0.15, logged=True),
)  # fmt: skip
