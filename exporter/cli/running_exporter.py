"""Asks the exporter that runs with the same configuration, because it has the ledger's file for itself."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import requests

from exporter.config.model import Config
from exporter.ledger.opening import LedgerError
from exporter.questions.cost_answer import Problem
from exporter.questions.problem import QuestionError
from exporter.web.web_config import load_web_config

PASSWORD_VARIABLE: Final = "SPEND_EXPORTER_PASSWORD"  # noqa: S105 (a name, not a password)

_TIMEOUT_SECONDS: Final = 60
_TRIES: Final = 10

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a running exporter; the password is not shown."""

    url: str | None
    user: str | None
    password_file: Path | None
    ca_file: Path | None


def add_access(command: argparse.ArgumentParser) -> None:
    """Add `--url`, `--user`, `--password-file` and `--ca-file`."""
    command.add_argument(
        "--url",
        metavar="URL",
        help="ask the exporter at this address (default: the one that holds the ledger, at the key `listen`)",
    )
    command.add_argument(
        "--user",
        metavar="NAME",
        help=f"user for it; the password is in --password-file or in the variable {PASSWORD_VARIABLE}",
    )
    command.add_argument("--password-file", type=Path, metavar="FILE", help="file with the user's password")
    command.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="certificates to trust instead of the system's"
    )


def access_of(chosen: argparse.Namespace) -> Access:
    """Return the arguments of `add_access`."""
    return Access(chosen.url, chosen.user, chosen.password_file, chosen.ca_file)


def ask(
    config: Config,
    access: Access,
    path: str,
    query: Mapping[str, str],
    wait: Callable[[float], None] = time.sleep,
) -> bytes:
    """Return the body of an answer. Raises OSError with what to do, QuestionError for a wrong question."""
    base = access.url.rstrip("/") if access.url else _configured_url(config)
    for _ in range(_TRIES):
        response = _get(base, access, path, query)
        if response.status_code != 429:
            break
        wait(float(response.headers.get("Retry-After", "1")))
    if response.status_code == 200:
        return response.content
    raise _refused(response, base)


def asked_or_read(
    config: Config,
    access: Access,
    *,
    path: str,
    query: Mapping[str, str],
    parse: Callable[[bytes], Answer],
    read: Callable[[], Answer],
    only_here: bool,
) -> Answer:
    """Return the answer that `read` makes from the ledger, or that of the exporter which has the ledger.

    With `only_here` it is read, whatever runs. Raises QuestionError, LedgerError, OSError.
    """
    if access.url is not None:
        return _asked(config, access, path, query, parse)
    try:
        return read()
    except LedgerError as error:
        if error.reason != "ledger_in_use" or only_here:
            raise
        try:
            return _asked(config, access, path, query, parse)
        except OSError as unanswered:
            raise LedgerError(error.reason, f"{error} It was asked instead, but {unanswered}") from unanswered


def _asked(
    config: Config, access: Access, path: str, query: Mapping[str, str], parse: Callable[[bytes], Answer]
) -> Answer:
    return parse(ask(config, access, path, query))


def _get(base: str, access: Access, path: str, query: Mapping[str, str]) -> requests.Response:
    try:
        return requests.get(
            base + path,
            params=query,
            auth=_credentials(access),
            verify=str(access.ca_file) if access.ca_file else True,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.exceptions.SSLError as error:
        raise OSError(
            f"the certificate of {base} is not trusted: name the host of the certificate with --url, and its "
            f"authority with --ca-file ({error.__class__.__name__})"
        ) from error
    except requests.exceptions.RequestException as error:
        raise OSError(
            f"no exporter answers at {base}: name the address of the running one with --url "
            f"({error.__class__.__name__})"
        ) from error


def _credentials(access: Access) -> tuple[str, str] | None:
    if access.user is None:
        return None
    if access.password_file is not None:
        return access.user, access.password_file.read_text().rstrip("\r\n")
    return access.user, os.environ.get(PASSWORD_VARIABLE, "")


def _refused(response: requests.Response, base: str) -> Exception:
    if response.status_code == 401:
        return PermissionError(f"{base} needs a user and a password: give --user and --password-file")
    if response.status_code == 404:
        return OSError(f"{base} answers no questions: it is an older version, or no spend-exporter")
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return OSError(f"{base} did not answer: status {response.status_code}")
    if response.status_code == 400 and problem.parameter is not None:
        return QuestionError(problem.parameter, problem.error.removeprefix(f"{problem.parameter}: "))
    return OSError(f"{base} did not answer: {problem.error}")


def _configured_url(config: Config) -> str:
    """Return the address of the configuration; where it is every interface, on this machine."""
    web = load_web_config(config.web_config_file) if config.web_config_file else None
    scheme = "https" if web is not None and web.ssl_context is not None else "http"
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.port}"
    return urlsplit(url).geturl()
