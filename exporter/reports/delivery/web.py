"""Sends a report to a web address: to Slack as a message, to others as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from exporter.core.printable import host_of
from exporter.questions.report_answer import Report
from exporter.reports.delivery.destination import DeliveryError, delivery_id
from exporter.reports.delivery.reaching import reach
from exporter.reports.rendering import headline, html_mail, markdown, slack_text
from exporter.sources.http.deadline import cuttable, within

_TIMEOUT_SECONDS: Final = 30.0
_TRANSIENT: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class SlackHook:
    """An incoming webhook of Slack. Its address is a secret."""

    url: Callable[[], str] = field(repr=False)

    @property
    def kind(self) -> str:
        """Its key in the configuration."""
        return "slack"

    def check(self) -> str:
        """Connect, and return what works; nothing is posted. Raises DeliveryError and SourceError."""
        found = reach(self.url(), "Slack's webhook", "slack.url_file", None)
        return f"{found}; whether Slack knows the address is not known until it is used"

    def send(self, name: str, report: Report) -> None:
        """Send a report. Raises DeliveryError and SourceError."""
        body = {"text": slack_text(report), "unfurl_links": False}
        headers = {"Idempotency-Key": delivery_id(name, report, self.kind)}
        _post("Slack's webhook", "slack.url_file", self.url(), body=body, headers=headers)


@dataclass(frozen=True, slots=True)
class WebHook:
    """Any receiver of JSON."""

    url: str = field(repr=False)
    """Its path may have a secret."""
    token: Callable[[], str] | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @property
    def kind(self) -> str:
        """Its key in the configuration."""
        return "webhook"

    def check(self) -> str:
        """Connect, and return what works; nothing is posted. Raises DeliveryError and SourceError."""
        if self.token is not None:
            self.token()
        found = reach(self.url, f"the webhook {self.url}", "webhook.url", self.ca_file)
        return f"{found}; whether it takes a report is not known until it gets one"

    def send(self, name: str, report: Report) -> None:
        """Send a report. Raises DeliveryError and SourceError."""
        key = delivery_id(name, report, self.url)
        body = {
            "id": key,
            "report": name,
            "period": report.name,
            "headline": headline(report),
            "markdown": markdown(report),
            "html": html_mail(report),
            "figures": report.model_dump(by_alias=True, mode="json"),
        }
        headers = {"Idempotency-Key": key}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token()}"
        what = f"the webhook at {host_of(self.url)}"
        verify = str(self.ca_file) if self.ca_file else True
        _post(what, "webhook.url and its token", self.url, body=body, headers=headers, verify=verify)


def _post(
    what: str,
    check: str,
    url: str,
    *,
    body: Any,
    headers: Mapping[str, str],
    verify: str | bool = True,
) -> None:
    def post() -> requests.Response:
        return session.post(
            url,
            json=body,
            headers=dict(headers),
            timeout=_TIMEOUT_SECONDS,
            verify=verify,
            allow_redirects=False,
        )

    try:
        with cuttable(requests.Session()) as session:
            response = within(_TIMEOUT_SECONDS, post, session)
    except (requests.exceptions.RequestException, ValueError) as error:
        # The error's own text may contain the address, which may be a secret.
        wrong_address = isinstance(error, ValueError)
        raise DeliveryError(
            f"{what} cannot be reached ({type(error).__name__}); check {check}", transient=not wrong_address
        ) from None
    status = response.status_code
    if not 200 <= status < 300:
        raise DeliveryError(
            f"{what} refused the report (status {status}); check {check}",
            transient=status >= 500 or status in _TRANSIENT,
        )
