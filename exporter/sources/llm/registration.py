"""How the admin APIs of OpenAI and Anthropic are configured and made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from exporter.config.llm import AdminApi
from exporter.core.secrets import secret_reader
from exporter.sources.llm.admin_source import LlmAdminSource
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.registration import Registration, Wanted

_Made = TypeVar("_Made", bound=LlmAdminSource)


def _openai(wanted: Wanted) -> list[OpenAISource]:
    return _sources(
        wanted, OpenAISource, "llm.openai", wanted.config.llm.openai if wanted.config.llm else None
    )


def _anthropic(wanted: Wanted) -> list[AnthropicSource]:
    sections = wanted.config.llm.anthropic if wanted.config.llm else None
    return _sources(wanted, AnthropicSource, "llm.anthropic", sections)


def _sources(
    wanted: Wanted, make: Callable[..., _Made], key: str, sections: Sequence[AdminApi] | None
) -> list[_Made]:
    several = len(sections or ()) > 1
    return [
        _source(wanted, make, f"{key}[{number}]" if several else key, section)
        for number, section in enumerate(sections or ())
    ]


def _source(wanted: Wanted, make: Callable[..., _Made], key: str, section: AdminApi) -> _Made:
    place = f"{key}.{'admin_key_env' if section.admin_key_env else 'admin_key_file'}"
    source = make(
        secret_reader(place, section.admin_key_file, section.admin_key_env, wanted.environment),
        update_interval=timedelta(minutes=section.update_interval_minutes),
        history_days=section.history_days,
        config_key=place,
        timeout_seconds=wanted.config.timeouts.request_seconds,
        entry=section.name,
    )
    if section.base_url:
        source.base_url = section.base_url
    return source


OPENAI = Registration(
    name="openai",
    section="llm.openai",
    page="llm.md",
    make=_openai,
    bills={"openai": "OpenAI"},
    estimates=("openai",),
)

ANTHROPIC = Registration(
    name="anthropic",
    section="llm.anthropic",
    page="llm.md",
    make=_anthropic,
    bills={"anthropic": "Anthropic"},
    estimates=("anthropic",),
)
