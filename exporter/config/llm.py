"""The section `llm` of the configuration: APIs, proxies and logs with the cost of language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.entries import EntryName, named_twice
from exporter.config.problems import Section, explained
from exporter.config.types import ONE_OR_MORE, VARIABLE_NAME, ReadGlob, ReadPath, WebAddress
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS

_Minutes = Annotated[
    float,
    Field(
        strict=True,
        ge=1,
        le=1440,
        allow_inf_nan=False,
        description="a number of minutes from 1 to 1440",
        examples=[5],
    ),
]
_KeyFile = Annotated[ReadPath | None, Field(description="the path of a file", examples=["secrets/key"])]
_KeyVariable = Annotated[
    StrictStr | None,
    Field(
        pattern=VARIABLE_NAME,
        description="the name of an environment variable",
        examples=["OPENAI_ADMIN_KEY"],
    ),
]
_HistoryDays = Annotated[
    int, Field(strict=True, ge=1, le=400, description="a whole number of days, 1 to 400", examples=[90])
]


class AdminApi(Section):
    """An LLM provider's admin API: billed cost, and usage that is not billed yet."""

    name: EntryName = None
    admin_key_file: _KeyFile = None
    admin_key_env: _KeyVariable = None
    history_days: _HistoryDays = 90
    update_interval_minutes: _Minutes = 5.0
    base_url: Annotated[
        WebAddress | None,
        Field(description="a web address, http or https", examples=["https://gateway.example.com"]),
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = [key for key in ("admin_key_file", "admin_key_env") if data.get(key) is not None]
        if len(given) != 1:
            problem = "has both admin_key_file and admin_key_env; keep one" if given else "needs an admin key"
            yield explained((), f"{problem}, for example admin_key_file: secrets/admin.key")


class LiteLlm(Section):
    """A LiteLLM proxy: it knows the team and the key of each call."""

    name: EntryName = None
    url: Annotated[
        WebAddress,
        Field(description="a web address, http or https", examples=["http://litellm.internal:4000"]),
    ]
    key_file: _KeyFile = None
    key_env: _KeyVariable = None
    update_interval_minutes: _Minutes = 5.0

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if data.get("key_file") is not None and data.get("key_env") is not None:
            yield explained((), "has both key_file and key_env; keep one, for example key_env: LITELLM_KEY")


class Llm(Section):
    """Language models of all providers."""

    openai: Annotated[
        Annotated[tuple[AdminApi, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a section, or a list of sections with an organization each",
            examples=[{"admin_key_file": "openai.key"}],
        ),
    ] = None
    anthropic: Annotated[
        Annotated[tuple[AdminApi, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a section, or a list of sections with an organization each",
            examples=[{"admin_key_file": "anthropic.key"}],
        ),
    ] = None
    litellm: Annotated[
        Annotated[tuple[LiteLlm, ...], *ONE_OR_MORE] | None,
        Field(
            min_length=1,
            description="a section, or a list of sections with a proxy each",
            examples=[{"url": "http://litellm.internal:4000"}],
        ),
    ] = None
    usage_logs: Annotated[
        tuple[ReadGlob, ...] | None,
        Field(
            min_length=1,
            description="a list of at least one path, glob or address (s3://, gs://, az://) of "
            "JSON Lines files",
            examples=[["llm/*.jsonl"]],
        ),
    ] = None
    gcp_service_ids: Annotated[
        tuple[Annotated[StrictStr, Field(pattern=r"^[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}$")], ...],
        Field(
            description="a list of service ids of Google's bill",
            examples=[["C7E2-9256-1C43", "AEFD-7695-64FA"]],
        ),
    ] = GCP_LLM_SERVICE_IDS

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        for key, of_entry in (("openai", _READ_BY), ("anthropic", _READ_BY), ("litellm", ("url",))):
            entries = data.get(key)
            if isinstance(entries, list | tuple):
                yield from named_twice((key,), f"llm.{key}", entries)
                yield from _read_twice(key, of_entry, entries)


_READ_BY = ("admin_key_file", "admin_key_env", "base_url")
"""What says which organization an entry reads."""


def _read_twice(key: str, of_entry: Sequence[str], entries: Sequence[object]) -> Iterator[InitErrorDetails]:
    """Entries that read what an earlier one reads: its dollars would count twice."""
    seen: dict[tuple[object, ...], int] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            continue
        reads = tuple(str(entry.get(name) or "").rstrip("/") for name in of_entry)
        if not reads[0] and not any(reads[1:2]):
            continue
        if reads in seen:
            what = next(name for name, value in zip(of_entry, reads, strict=True) if value)
            text = f"is that of llm.{key}[{seen[reads]}] as well, so everything would count twice; keep one"
            yield explained((key, number, what), text)
        seen.setdefault(reads, number)
