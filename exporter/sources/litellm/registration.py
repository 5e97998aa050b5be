"""How a LiteLLM proxy is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.core.ownership import ANY_OTHER
from exporter.core.secrets import secret_reader
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> LiteLLMSource | None:
    section = wanted.config.llm.litellm if wanted.config.llm else None
    if section is None:
        return None
    place = f"llm.litellm.{'key_env' if section.key_env else 'key_file'}"
    given = section.key_file or section.key_env
    key = secret_reader(place, section.key_file, section.key_env, wanted.environment) if given else None
    interval = timedelta(minutes=section.update_interval_minutes)
    seconds = wanted.config.timeouts.request_seconds
    return LiteLLMSource(
        section.url, key, update_interval=interval, config_key=place, attempt_seconds=seconds
    )


REGISTRATION = Registration(
    name="litellm",
    section="llm.litellm",
    page="litellm.md",
    make=_make,
    attributes=(ANY_OTHER,),
)
