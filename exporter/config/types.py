"""Kinds of values in the configuration: sizes in bytes, addresses to listen on, paths and globs.

A function here raises ValueError for a value of the wrong form, with a text only where that helps.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from exporter.config.problems import EXPLAINED
from exporter.core.object_addresses import NoObjectAddressError, is_address, object_pattern

_BYTES_PER_UNIT: Final = {
    **{"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    **{"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40},
}


_SIZE: Final = r"^([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([KMGT]i?B)$"

GOOGLE_PROJECT: Final = r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*[a-z0-9]"
"""Pattern of a project id of Google Cloud."""

BIGQUERY_TABLE: Final = rf"^{GOOGLE_PROJECT}\.[A-Za-z0-9_]+\.[A-Za-z0-9_-]+$"
"""Pattern of project.dataset.table, without a character that could end a quoted name in a query."""

VARIABLE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""Pattern of the name of an environment variable."""


def zone_name(value: str) -> str:
    """Return the IANA name of a time zone. Raises ValueError."""
    try:
        ZoneInfo(value)
    except (KeyError, OSError) as error:
        raise ValueError from error
    return value


def host_and_port(listen: str) -> tuple[str, int]:
    """Host (without brackets) and port of `host:port`. Raises ValueError."""
    host, _, port = listen.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError
    if host.startswith("[") and host.endswith("]"):
        return str(IPv6Address(host[1:-1])), int(port)
    if re.fullmatch(r"[0-9.]+", host):
        return str(IPv4Address(host)), int(port)
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", host):
        raise ValueError
    return host, int(port)


def _listen(value: str) -> str:
    host_and_port(value)
    return value


def _bytes(value: object) -> object:
    """A text with a unit as a whole number of bytes; anything else unchanged."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(_SIZE, value.strip())
    if match is None:
        raise ValueError
    return int(Decimal(match[1]) * _BYTES_PER_UNIT[match[2]])


def _path(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError  # noqa: TRY004 - pydantic makes a problem of a ValueError only
    text = str(value)
    if text.lstrip().startswith("{") or "-----BEGIN" in text:
        raise PydanticCustomError(EXPLAINED, "expected the path of a file, got what looks like its contents")
    if not text.strip() or min(text) < " ":
        raise ValueError
    text.encode()
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise PydanticCustomError(
            EXPLAINED, "starts with a ~ whose home folder is not known; write the full path"
        ) from None


def _path_to_read(value: object, info: ValidationInfo) -> Path:
    return _base(info) / _path(value)


def _glob_to_read(pattern: str, info: ValidationInfo) -> str:
    if is_address(pattern):
        try:
            return str(object_pattern(pattern))
        except NoObjectAddressError as error:
            raise PydanticCustomError(EXPLAINED, str(error)) from None
    path = _path(pattern)
    # A [ or * in the name of the base folder belongs to the name, not to a pattern.
    return str(path if path.is_absolute() else Path(glob.escape(str(_base(info)))) / path)


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError(
            EXPLAINED,
            "contains a user or a password; put secrets into a file or environment variable, and "
            "write only the address here, for example http://litellm.internal:4000",
        )
    parts.port  # noqa: B018 - raises ValueError for a port that is none
    return text.rstrip("/")


def _base(info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base", Path())
    assert isinstance(base, Path)
    return base


ListenAddress = Annotated[StrictStr, AfterValidator(_listen)]
"""`host:port`; an IPv6 host in brackets."""


class _OneOrMore:
    """Shows in the JSON schema, and to messages, that one value may stand for a list of one."""

    one_or_more: Final = True

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        found = handler(schema)
        kinds = found.get("anyOf", [found])
        items = [kind["items"] for kind in kinds if "items" in kind]
        return {"anyOf": [*items, *kinds]}


def _one_or_more(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """Take one mapping or text for a list of one; its problems are named as if it stood in no list."""
    if not isinstance(value, Mapping | str):
        return handler(value)
    try:
        return handler([value])
    except ValidationError as error:
        problems = [
            InitErrorDetails(
                type=PydanticCustomError(found["type"], found["msg"]),
                loc=found["loc"][1:],
                input=found["input"],
            )
            for found in error.errors(include_url=False, include_context=False)
        ]
        raise ValidationError.from_exception_data("list", problems, hide_input=True) from None


ONE_OR_MORE: Final = (WrapValidator(_one_or_more), _OneOrMore())
"""Annotations of a list that may be given as its one item."""

Bytes = Annotated[
    int, BeforeValidator(_bytes, json_schema_input_type=int | Annotated[str, Field(pattern=_SIZE)])
]
"""A whole number of bytes, or a text such as `10GiB`."""

MaxBytesBilled = Annotated[
    Bytes,
    Field(
        strict=True,
        ge=10 * 2**20,
        le=2**63 - 1,
        description="bytes, or a size with KB, MB, GB, TB, KiB, MiB, GiB or TiB, of at least 10MiB",
        examples=["10GiB"],
    ),
]
"""What one query in BigQuery may bill."""

WrittenPath = Annotated[Path, BeforeValidator(_path)]
"""A path with `~` expanded; when relative, it starts at the working folder."""

ReadPath = Annotated[Path, BeforeValidator(_path_to_read)]
"""A path with `~` expanded; when relative, it starts at the validation context's `base`."""

ReadGlob = Annotated[StrictStr, AfterValidator(_glob_to_read)]
"""A glob for local files, relative to the validation context's `base`, or an address of objects."""

WebAddress = Annotated[StrictStr, AfterValidator(_web_address)]
"""An http or https address without a user, query or trailing slash."""

UpdateMinutes = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        le=1440,
        allow_inf_nan=False,
        description="a number of minutes above 0, up to 1440",
        examples=[15],
    ),
]
"""How often something is looked at."""
