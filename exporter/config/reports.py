"""The section `reports` of the configuration: which reports are sent, when, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import time
from email.utils import parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.problems import Section, explained
from exporter.config.types import ONE_OR_MORE, VARIABLE_NAME, ReadPath, WebAddress, zone_name


def _address(value: str) -> str:
    name, address = parseaddr(value)
    if (
        not re.fullmatch(r"[^@\s,;<>\"]+@[A-Za-z0-9][A-Za-z0-9.-]*", address)
        or not address.isascii()
        or not name.isprintable()
        or not value.isprintable()
    ):
        raise ValueError
    return value


def _time(value: object) -> time:
    # YAML 1.1 reads 08:30 without quotes as a number of base 60.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    if not isinstance(value, str) or not re.fullmatch(r"\d{2}:\d{2}", value, re.ASCII):
        raise ValueError
    return time.fromisoformat(value)


_MailAddress = Annotated[StrictStr, AfterValidator(_address)]
_File = Annotated[ReadPath | None, Field(description="the path of a file", examples=["secrets/file"])]
_Variable = Annotated[
    StrictStr | None,
    Field(
        pattern=VARIABLE_NAME, description="the name of an environment variable", examples=["REPORT_SECRET"]
    ),
]


class Mail(Section):
    """A mail server, and whom to write to."""

    host: Annotated[
        StrictStr,
        Field(
            pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:_-]*[A-Za-z0-9])?$",
            description="the name of a mail server",
            examples=["smtp.example.com"],
        ),
    ]
    port: Annotated[
        int | None, Field(strict=True, ge=1, le=65535, description="a port, 1 to 65535", examples=[587])
    ] = None
    encryption: Annotated[
        Literal["starttls", "tls", "none"], Field(description="starttls, tls or none", examples=["starttls"])
    ] = "starttls"
    sender: Annotated[
        _MailAddress, Field(description="a mail address", examples=["Spending <spend@example.com>"])
    ]
    to: Annotated[
        tuple[_MailAddress, ...],
        *ONE_OR_MORE,
        Field(min_length=1, description="one or more mail addresses", examples=[["finops@example.com"]]),
    ]
    username: Annotated[
        StrictStr | None, Field(min_length=1, description="a name", examples=["spend@example.com"])
    ] = None
    password_file: _File = None
    password_env: _Variable = None
    ca_file: _File = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = [key for key in ("password_file", "password_env") if data.get(key) is not None]
        if len(given) == 2:
            yield explained((), "has both password_file and password_env; keep one")
        if data.get("username") is not None and not given:
            yield explained((), "has a username but no password; set password_file: secrets/mail.password")
        if given and data.get("username") is None:
            yield explained((), f"has {given[0]} but no username; set both")
        if data.get("username") is not None and data.get("encryption") == "none":
            yield explained(
                (), "would send the password unencrypted; write encryption: starttls, or leave out the user"
            )


class Slack(Section):
    """An incoming webhook of Slack; its address is a secret."""

    url_file: _File = None
    url_env: _Variable = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        given = [key for key in ("url_file", "url_env") if data.get(key) is not None]
        if len(given) != 1:
            yield explained((), "needs either url_file or url_env, for example url_file: secrets/slack.url")


class Webhook(Section):
    """A receiver of JSON."""

    url: Annotated[
        WebAddress,
        Field(description="a web address, http or https", examples=["https://hooks.example.com/spend"]),
    ]
    bearer_token_file: _File = None
    bearer_token_env: _Variable = None
    ca_file: _File = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if data.get("bearer_token_file") is not None and data.get("bearer_token_env") is not None:
            yield explained((), "has both bearer_token_file and bearer_token_env; keep one")


class ReportSection(Section):
    """A report that is sent for each period."""

    name: Annotated[
        StrictStr,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
            description="a name of 1 to 64 letters, digits, dashes and underscores",
            examples=["monthly"],
        ),
    ]
    period: Annotated[
        Literal["day", "week", "month"], Field(description="day, week or month", examples=["month"])
    ] = "month"
    wait_days: Annotated[
        int | None,
        Field(strict=True, ge=1, le=27, description="a whole number of days, 1 to 27", examples=[3]),
    ] = None
    at: Annotated[
        time, BeforeValidator(_time), Field(description="a time of day, HH:MM", examples=["08:00"])
    ] = time(8)
    timezone: Annotated[
        StrictStr,
        AfterValidator(zone_name),
        Field(description="a time zone by its IANA name", examples=["Europe/Berlin"]),
    ] = "UTC"
    by: Annotated[
        Annotated[tuple[StrictStr, ...], Field(min_length=1, max_length=10)] | None,
        *ONE_OR_MORE,
        Field(description="dimensions", examples=[["service", "label.team"]]),
    ] = None
    where: Annotated[
        StrictStr | None,
        Field(min_length=1, max_length=2000, description="conditions", examples=["label.team:core"]),
    ] = None
    top: Annotated[
        int, Field(strict=True, ge=1, le=100, description="a whole number, 1 to 100", examples=[10])
    ] = 10
    mail: Annotated[
        Mail | None,
        Field(
            description="a section",
            examples=[
                {"host": "smtp.example.com", "sender": "spend@example.com", "to": "finops@example.com"}
            ],
        ),
    ] = None
    slack: Annotated[
        Slack | None, Field(description="a section", examples=[{"url_file": "secrets/slack.url"}])
    ] = None
    webhook: Annotated[
        Webhook | None, Field(description="a section", examples=[{"url": "https://hooks.example.com/spend"}])
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        if all(data.get(key) is None for key in ("mail", "slack", "webhook")):
            yield explained(
                (), "is sent nowhere; add mail, slack or webhook, for example slack: {url_file: slack.url}"
            )


def _names_apart(sections: tuple[ReportSection, ...]) -> tuple[ReportSection, ...]:
    names = [section.name for section in sections]
    for name in names:
        if names.count(name) > 1:
            # Reports that were sent are known by their name.
            raise ValueError
    return sections


Reports = Annotated[
    tuple[ReportSection, ...],
    *ONE_OR_MORE,
    AfterValidator(_names_apart),
    Field(
        description="a list of reports, each with its own name and mail, slack or webhook",
        examples=[{"name": "monthly", "slack": {"url_file": "secrets/slack.url"}}],
    ),
]
