"""How a LiteLLM proxy is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.config.llm import LiteLlm
from exporter.core.ownership import ANY_OTHER
from exporter.core.secrets import secret_reader
from exporter.core.source_names import source_name
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> list[LiteLLMSource]:
    sections = (wanted.config.llm.litellm if wanted.config.llm else None) or ()
    several = len(sections) > 1
    return [
        _proxy(wanted, f"llm.litellm[{number}]" if several else "llm.litellm", section)
        for number, section in enumerate(sections)
    ]


def _proxy(wanted: Wanted, key: str, section: LiteLlm) -> LiteLLMSource:
    place = f"{key}.{'key_env' if section.key_env else 'key_file'}"
    given = section.key_file or section.key_env
    source = LiteLLMSource(
        section.url,
        secret_reader(place, section.key_file, section.key_env, wanted.environment) if given else None,
        update_interval=timedelta(minutes=section.update_interval_minutes),
        config_key=place,
        attempt_seconds=wanted.config.timeouts.request_seconds,
    )
    source.name = source_name("litellm", section.name)
    return source


REGISTRATION = Registration(
    name="litellm",
    section="llm.litellm",
    page="litellm.md",
    make=_make,
    attributes=(ANY_OTHER,),
)
