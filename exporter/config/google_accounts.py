"""Whose projects and billing accounts are read with which credentials: `gcp` itself and its organizations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field, StrictStr
from pydantic_core import InitErrorDetails

from exporter.config.entries import NAME_RULE
from exporter.config.problems import Section, explained
from exporter.config.types import GOOGLE_PROJECT, ReadPath
from exporter.config.yaml import KeyPath
from exporter.core.source_names import ENTRY_NAME

CredentialsPath = Annotated[
    ReadPath | None,
    Field(description="the path of a credentials file", examples=["~/.config/gcp/credentials.json"]),
]
ServiceAccount = Annotated[
    StrictStr | None,
    Field(
        pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$",
        description="a service account's e-mail address",
        examples=["spend-exporter@project-1.iam.gserviceaccount.com"],
    ),
]
JobProject = Annotated[
    StrictStr | None,
    Field(
        pattern=rf"^{GOOGLE_PROJECT}$",
        description="the project that runs and pays for the queries",
        examples=["project-1"],
    ),
]
BillingAccount = Annotated[
    StrictStr | None,
    Field(
        pattern=r"^[A-Z0-9]{6}-[A-Z0-9]{6}-[A-Z0-9]{6}$",
        description="a billing account: three groups of six capital letters or digits, joined by dashes",
        examples=["01AB23-4C5D67-89EF01"],
    ),
]
ProjectIds = Annotated[
    tuple[Annotated[StrictStr, Field(pattern=rf"^{GOOGLE_PROJECT}$")], ...],
    Field(
        description="a list of project ids (lower-case letters, digits, dashes)",
        examples=[["project-1", "project-2"]],
    ),
]


class GoogleOrganization(Section):
    """Projects and a billing account of another organization, with credentials of their own."""

    name: Annotated[StrictStr, Field(pattern=ENTRY_NAME, description=NAME_RULE, examples=["production"])]
    billing_account_id: Annotated[BillingAccount, Field(examples=["0A0A0A-1B1B1B-2C2C2C"])] = None
    project_ids: Annotated[ProjectIds, Field(examples=[["project-3"]])] = ()
    credentials_path: CredentialsPath = None
    impersonate_service_account: ServiceAccount = None


def read_twice(data: Mapping[str, object], organizations: Sequence[object]) -> Iterator[InitErrorDetails]:
    """Projects and accounts of organizations that another place has too: they would count twice."""
    seen: dict[object, str] = {}
    for place, path, section in [
        ("gcp", (), data),
        *(
            (f"gcp.organizations[{number}]", ("organizations", number), each)
            for number, each in enumerate(organizations)
        ),
    ]:
        if not isinstance(section, Mapping):
            continue
        projects = section.get("project_ids")
        listed = projects if isinstance(projects, list | tuple) else ()
        given: list[tuple[KeyPath, object]] = [
            (("project_ids", number), project) for number, project in enumerate(listed)
        ]
        given.append((("billing_account_id",), section.get("billing_account_id")))
        for key, value in given:
            if not isinstance(value, str):
                continue
            if path and value in seen:
                text = f"{value} is in {seen[value]} as well, so it would count twice; keep one"
                yield explained((*path, *key), text)
            seen.setdefault(value, f"{place}.{key[0]}")
