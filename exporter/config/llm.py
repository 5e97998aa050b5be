"""The section `llm` of the configuration: APIs, proxies and logs with the cost of language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.problems import Section, explained
from exporter.config.types import VARIABLE_NAME, ReadGlob, ReadPath, WebAddress
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
        AdminApi | None, Field(description="a section", examples=[{"admin_key_file": "openai.key"}])
    ] = None
    anthropic: Annotated[
        AdminApi | None, Field(description="a section", examples=[{"admin_key_file": "anthropic.key"}])
    ] = None
    litellm: Annotated[
        LiteLlm | None, Field(description="a section", examples=[{"url": "http://litellm.internal:4000"}])
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
