"""Who is asked about which projects: the section `gcp` itself, and each of `gcp.organizations`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.config.gcp import Gcp


@dataclass(frozen=True, slots=True)
class Organization:
    """Projects and a billing account that are read with the same credentials."""

    entry: str | None
    """Its name; None for those of the section `gcp` itself."""
    project_ids: Sequence[str]
    billing_account_id: str | None
    credentials_path: Path | None
    impersonate_service_account: str | None
    own_keys: Mapping[str, str]
    """As Source.own_keys."""


def organizations(gcp: Gcp) -> Iterator[Organization]:
    """Yield them in the configuration's order. Credentials that one leaves out are those of `gcp`."""
    yield Organization(
        None,
        gcp.project_ids,
        gcp.billing_account_id,
        gcp.credentials_path,
        gcp.impersonate_service_account,
        {},
    )
    for number, each in enumerate(gcp.organizations):
        place = "gcp.organizations" + (f"[{number}]" if len(gcp.organizations) > 1 else "")
        own = each.credentials_path is not None or each.impersonate_service_account is not None
        keys = ["project_ids", "billing_account_id"]
        keys += ["credentials_path", "impersonate_service_account"] if own else []
        yield Organization(
            each.name,
            each.project_ids,
            each.billing_account_id,
            each.credentials_path or gcp.credentials_path,
            each.impersonate_service_account if own else gcp.impersonate_service_account,
            {f"gcp.{key}": f"{place}.{key}" for key in keys},
        )
