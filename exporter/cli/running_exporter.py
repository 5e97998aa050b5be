"""Asks the exporter that runs with the same configuration, because it has the ledger's file for itself."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from exporter.client import SpendClient, SpendError, UnreachableError
from exporter.client.access import DEFAULT_URL, PASSWORD_VARIABLE
from exporter.config.model import Config, load
from exporter.ledger.opening import LedgerError
from exporter.questions.problem import QuestionError
from exporter.web.web_config import load_web_config

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Chosen:
    """How to reach a running exporter, as chosen on the command line."""

    url: str | None
    user: str | None
    password_file: Path | None
    ca_file: Path | None

    def client(self, default_url: str) -> SpendClient:
        """Return a client of it."""
        return SpendClient(
            self.url or default_url, user=self.user, password_file=self.password_file, ca_file=self.ca_file
        )


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


def add_config_or_running(command: argparse.ArgumentParser) -> None:
    """Add `--config` to a command that asks the running exporter where there is none."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML or JSON; reads its ledger where no exporter runs with it (default: ask the exporter at "
        f"--url, or at {DEFAULT_URL})",
    )


def configured(chosen: argparse.Namespace, *needing: str) -> Config | None:
    """Load the configuration; None without one. Raises QuestionError where one of the options needs it."""
    if chosen.config is not None:
        return load(chosen.config)
    for option in needing:
        if getattr(chosen, option.replace("-", "_")):
            raise QuestionError(option, "needs the configuration: name its file with --config")
    return None


def access_of(chosen: argparse.Namespace) -> Chosen:
    """Return the arguments of `add_access`."""
    return Chosen(chosen.url, chosen.user, chosen.password_file, chosen.ca_file)


def asked_or_read(
    config: Config | None,
    access: Chosen,
    *,
    path: str,
    query: Mapping[str, str],
    model: type[Answer],
    read: Callable[[Config], tuple[Answer, tuple[str, ...]]],
    only_here: bool,
) -> tuple[Answer, bool]:
    """Return the answer that `read` makes from the ledger, or that of the exporter which has the ledger.

    Without a configuration the exporter at the chosen address is asked. Also whether every source could be
    read; one that could not be is logged. With `only_here` it is read, whatever runs. Raises QuestionError,
    LedgerError, OSError.
    """
    if config is None:
        try:
            return _asked(DEFAULT_URL, access, path, query, model), True
        except UnreachableError as error:
            raise UnreachableError(
                f"{error}, or the configuration with --config to read its ledger"
            ) from None
    if access.url is not None:
        return _asked(access.url, access, path, query, model), True
    try:
        answer, failed = read(config)
    except LedgerError as error:
        if error.reason != "ledger_in_use" or only_here:
            raise
        try:
            return _asked(configured_url(config), access, path, query, model), True
        except SpendError as unanswered:
            raise LedgerError(error.reason, f"{error} It was asked instead, but {unanswered}") from unanswered
    for name in failed:
        logger.error("source %s could not be read; the figures are what it reported before", name)
    return answer, not failed


def _asked(
    default_url: str, access: Chosen, path: str, query: Mapping[str, str], model: type[Answer]
) -> Answer:
    with access.client(default_url) as client:
        return client.ask(path, query, model)


def configured_url(config: Config) -> str:
    """Return the address of the configuration; where it is every interface, on this machine."""
    web = load_web_config(config.web_config_file) if config.web_config_file else None
    scheme = "https" if web is not None and web.ssl_context is not None else "http"
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.port}"
