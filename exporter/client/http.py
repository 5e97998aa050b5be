"""One question over HTTP, asked again while the connection fails or the exporter says when to come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from exporter.client.access import Access
from exporter.client.errors import BUSY_STATUSES, no_answer, not_trusted, refusal
from exporter.sources.http.header_auth import HeaderAuth

_BUSY_TRIES: Final = 10
_LONGEST_WAIT_SECONDS: Final = 60


class Connection:
    """Keeps its connections open between questions. One thread uses it at a time."""

    def __init__(
        self, access: Access, *, timeout_seconds: float, retries: int, backoff_seconds: float
    ) -> None:
        """`retries` is how often a failed connection is tried again; a busy exporter is asked 10 times."""
        self._access = access
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        again = _Again(
            total=retries + _BUSY_TRIES if retries else 0,
            connect=retries,
            read=retries,
            status=_BUSY_TRIES,
            other=0,
            backoff_factor=backoff_seconds,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the body of an answer. Raises SpendError, and QuestionError for a wrong question."""
        base = self._access.base
        headers = self._access.headers()
        trusted = self._access.trusted()
        try:
            response = self._session.get(
                self._access.at(path),
                params=query,
                auth=HeaderAuth(headers),
                verify=trusted,
                timeout=self._timeout_seconds,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise not_trusted(base, error) from None
        except requests.exceptions.RequestException as error:
            raise no_answer(base, error) from None
        if response.status_code == 200:
            return response.content
        raise refusal(response.status_code, response.content, base)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


class _Again(Retry):
    """Waits as long as `Retry-After` says; an answer without it is final."""

    RETRY_AFTER_STATUS_CODES = frozenset(BUSY_STATUSES)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds to wait, a minute at most."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST_WAIT_SECONDS)
