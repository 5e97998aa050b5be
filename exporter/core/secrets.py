"""Secrets from a file or environment variable, read each time, so that a secret can change at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from exporter.core.errors import SourceError


def secret_reader(
    config_key: str,
    file: Path | None,
    variable: str | None,
    environment: Mapping[str, str],
    *,
    spaces: bool = False,
) -> Callable[[], str]:
    """Return a function that reads the secret; `config_key` is the section that names where it is.

    With `spaces` it is a password, which may have spaces within, as the app passwords of mail services have.
    The function raises SourceError without a secret; neither it nor the error shows the secret.
    """

    def read() -> str:
        if variable is not None:
            secret = environment.get(variable, "").strip()
            if not secret:
                raise SourceError(
                    "no_credentials",
                    f"{config_key}: the environment variable {variable} is not set or is empty; set it",
                )
            return _one_line(secret, f"the environment variable {variable}", config_key, spaces=spaces)
        if file is None:
            raise SourceError(
                "no_credentials",
                f"{config_key}: no key is configured; name a file or an environment variable that has it",
            )
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise SourceError(
                "no_credentials",
                f"{config_key}: the key file {file} cannot be read ({why}); make it readable for this user",
            ) from None
        if not secret:
            raise SourceError(
                "no_credentials", f"{config_key}: the key file {file} is empty; put the key into it"
            )
        return _one_line(secret, f"the key file {file}", config_key, spaces=spaces)

    return read


def _one_line(secret: str, where: str, config_key: str, *, spaces: bool) -> str:
    if not secret.isprintable() or not secret.isascii() or (" " in secret and not spaces):
        raise SourceError(
            "no_credentials",
            f"{config_key}: {where} contains more than a key; it must contain only the key, on one line",
        )
    return secret
