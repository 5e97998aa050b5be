"""Where a running exporter is, whom it should take us for, and whose certificates we trust."""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from exporter.client.errors import AccessError, UnreachableError
from exporter.questions.problem import QuestionError

DEFAULT_URL: Final = "http://127.0.0.1:9877"
PASSWORD_VARIABLE: Final = "SPEND_EXPORTER_PASSWORD"  # noqa: S105 (a name, not a password)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a running exporter; its text does not show the password."""

    url: str = DEFAULT_URL
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    """Used before `password_file` and the environment variable SPEND_EXPORTER_PASSWORD."""
    password_file: Path | None = None
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise QuestionError(
                "url", "write the address with its scheme, as in https://spend.example.org:9877"
            )
        if "@" in address.netloc:
            raise QuestionError("url", "leave user and password out of it; give them on their own")
        if address.query or address.fragment:
            raise QuestionError("url", "leave out what follows ? and #")

    def at(self, path: str) -> str:
        """Return the address of a path."""
        return self.base + path

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")

    def headers(self) -> dict[str, str]:
        """Return the headers that name the user; the password is read each time, so that it can change."""
        if self.user is None:
            return {}
        pair = f"{self.user}:{self._password()}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def trusted(self) -> str | bool:
        """Return the file of `ca_file`, or True for the system's. UnreachableError without it."""
        if self.ca_file is None:
            return True
        if not self.ca_file.is_file():
            raise UnreachableError(f"{self.ca_file}: there is no such file with certificates")
        return str(self.ca_file)

    def ssl_context(self) -> ssl.SSLContext:
        """Return what checks the certificate. Raises UnreachableError where `ca_file` has none."""
        self.trusted()
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UnreachableError(f"{self.ca_file}: it has no certificates ({error})") from error

    def _password(self) -> str:
        if self.password is not None:
            return self.password
        if self.password_file is None:
            return self.environment.get(PASSWORD_VARIABLE, "")
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise AccessError(f"the password file {self.password_file} cannot be read ({why})") from None
