"""Where Google credentials come from. Apart from what loads them, so that naming them needs no client.

google-auth brings a library of cryptography along: 10 MB that a configuration without Google does not need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CredentialsSettings:
    """Where credentials come from; with nothing set, application default credentials."""

    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    """E-mail address of a service account to act as."""
