"""The files with secrets that the configuration names, and which of them everyone on the machine may read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from exporter.config.model import Config
from exporter.config.problems import may_be_one
from exporter.core.open_files import everyone_reads
from exporter.web.web_config import WebConfig

_SECRET: Final = re.compile(r"(?:^|_)(?:key|password|token|url)_file$|^credentials_path$")
_GOOGLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"


def open_secrets(config: Config, web: WebConfig, environment: Mapping[str, str]) -> list[str]:
    """Return a text for each file with a secret that everyone may read: which, and what to do."""
    found = dict(_named(config, ""))
    if web.tls is not None:
        found["tls_server_config.key_file"] = web.tls.key_file
    if environment.get(_GOOGLE):
        found[_GOOGLE] = Path(environment[_GOOGLE])
    return [
        f"{key}: everyone on this machine may read {path}; run chmod o-r, and in Kubernetes mount it with "
        "defaultMode 0440 and an fsGroup"
        for key, path in found.items()
        if everyone_reads(path)
    ]


def _named(value: object, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            found = getattr(value, name)
            if may_be_one(field) and isinstance(found, tuple) and len(found) == 1:
                found = found[0]
            yield from _named(found, f"{key}.{name}" if key else name)
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from _named(each, f"{key}[{number}]")
    elif isinstance(value, Path) and _SECRET.search(key.rpartition(".")[2]):
        yield key, value
