"""What the front is given at its start: how it is reached, and the limits that it keeps to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from exporter.web.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """Sent over the channel and never on a command line, which everyone can read."""

    headers: Mapping[str, str]
    """For every response."""
    max_concurrent_scrapes: int
    response_timeout_seconds: float
    keep_alive_seconds: float
    tls: TlsSettings | None = None
    client_allowed_sans: frozenset[str] = frozenset()
    password_hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    log_level: int = 0

    def plain(self) -> dict[str, Any]:
        """Return them as values that JSON can have."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["client_allowed_sans"] = sorted(self.client_allowed_sans)
        if self.tls is not None:
            values["tls"] = {
                name: str(value) if isinstance(value, Path) else value
                for name, value in asdict(self.tls).items()
            }
        return values

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings that `plain` has returned."""
        tls = values["tls"]
        if tls is not None:
            paths = {
                name: Path(tls[name]) for name in ("cert_file", "key_file", "client_ca_file") if tls[name]
            }
            tls = TlsSettings(**{**tls, **paths, "cipher_suites": tuple(tls["cipher_suites"])})
        names = frozenset(values["client_allowed_sans"])
        return cls(**{**values, "tls": tls, "client_allowed_sans": names})
