"""The section `history` of the configuration: where past costs are kept by their time of usage.

Remote write sends them to a receiver; the log of snapshots keeps each summary in files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.problems import Section, explained, names_secret
from exporter.config.types import ReadPath, WebAddress, WrittenPath

_OWN_HEADERS: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "host"),
        *("keep-alive", "transfer-encoding", "user-agent", "x-prometheus-remote-write-version"),
    }
)
"""Headers that the sender sets itself, as the protocol requires."""

_File = Annotated[ReadPath | None, Field(description="the path of a file", examples=["secrets/file"])]


class BasicAuth(Section):
    """A user of the receiver."""

    username: Annotated[
        StrictStr, Field(min_length=1, pattern=r"^[^:\x00-\x1f]+$", description="a name", examples=["spend"])
    ]
    password_file: Annotated[
        ReadPath, Field(description="the path of a file", examples=["secrets/receiver.password"])
    ]


class ClientTls(Section):
    """Which certificate the receiver must have, and the exporter's own client certificate."""

    ca_file: _File = None
    cert_file: _File = None
    key_file: _File = None
    server_name: Annotated[
        StrictStr | None,
        Field(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
            description="the name in the receiver's certificate",
            examples=["mimir.example.com"],
        ),
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        pair = {"cert_file": "key_file", "key_file": "cert_file"}
        for given, missing in pair.items():
            if data.get(given) is not None and data.get(missing) is None:
                yield explained(
                    (), f"has {given} but not {missing}; set both, for example {missing}: client.pem"
                )


class RemoteWrite(Section):
    """A receiver of Prometheus' remote-write protocol."""

    url: Annotated[
        WebAddress,
        Field(
            description="a web address, http or https",
            examples=["http://prometheus.internal:9090/api/v1/write"],
        ),
    ]
    headers: Annotated[
        Mapping[
            Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")],
            Annotated[StrictStr, Field(pattern=r"^[\x20-\x7e]*$")],
        ],
        Field(description="names of headers, each with a text", examples=[{"X-Scope-OrgID": "team-1"}]),
    ] = {}
    basic_auth: Annotated[
        BasicAuth | None,
        Field(
            description="a section",
            examples=[{"username": "spend", "password_file": "secrets/receiver.password"}],
        ),
    ] = None
    bearer_token_file: Annotated[
        ReadPath | None, Field(description="the path of a file", examples=["secrets/receiver.token"])
    ] = None
    tls: Annotated[ClientTls | None, Field(description="a section", examples=[{"ca_file": "ca.pem"}])] = None
    since_days: Annotated[
        int,
        Field(strict=True, ge=1, le=3660, description="a whole number of days, 1 to 3660", examples=[31]),
    ] = 31
    query_url: Annotated[
        WebAddress | None,
        Field(description="a web address, http or https", examples=["http://prometheus.internal:9090"]),
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if data.get("basic_auth") is not None and data.get("bearer_token_file") is not None:
            yield explained((), "has both basic_auth and bearer_token_file; keep one")
        if data.get("tls") is not None and re.match("http://", str(data.get("url")), re.IGNORECASE):
            yield explained((), "has tls, but the address is not https; write for example url: https://…")
        headers = data.get("headers")
        for name in headers if isinstance(headers, Mapping) else ():
            if str(name).lower().endswith("authorization") or names_secret((str(name),)):
                problem = (
                    "seems to be a secret by its name, and secrets belong in files: use bearer_token_file"
                )
                yield explained(("headers", str(name)), problem)
            elif str(name).lower() in _OWN_HEADERS:
                yield explained(
                    ("headers", str(name)),
                    "is set by the exporter itself; leave it out, for example headers: "
                    "{X-Scope-OrgID: team-1}",
                )


class SnapshotLog(Section):
    """A log of the answers of `/api/v1/summary`, one file per day."""

    directory: Annotated[
        WrittenPath,
        Field(description="the path of a folder", examples=["history"]),
    ] = Path("history")
    keep_days: Annotated[
        int,
        Field(strict=True, ge=1, le=3660, description="a whole number of days, 1 to 3660", examples=[400]),
    ] = 400
    interval_minutes: Annotated[
        float,
        Field(
            strict=True,
            ge=1,
            le=1440,
            allow_inf_nan=False,
            description="a number of minutes from 1 to 1440",
            examples=[15],
        ),
    ] = 15.0


class History(Section):
    """What is kept outside the ledger; nothing where a key is not set."""

    job: Annotated[
        StrictStr | None,
        Field(
            pattern=r"^[^\x00-\x1f]+$", description="the name of a job", examples=["spend-exporter-staging"]
        ),
    ] = None

    remote_write: Annotated[
        RemoteWrite | None,
        Field(description="a section", examples=[{"url": "http://prometheus.internal:9090/api/v1/write"}]),
    ] = None
    jsonl: Annotated[
        SnapshotLog | None, Field(description="a section", examples=[{"directory": "history"}])
    ] = None
