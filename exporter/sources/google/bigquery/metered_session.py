"""The HTTP session of the BigQuery client: counts its requests, and limits the time of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import requests
from google.auth.transport.requests import AuthorizedSession, Request

from exporter.sources.base import RefreshTally
from exporter.sources.google.credentials import GoogleIdentity
from exporter.sources.http.deadline import cuttable, within

_Result = TypeVar("_Result")


class MeteredSession(AuthorizedSession):
    """Counts every request, also those that get no answer, and limits its time."""

    def __init__(self, identity: GoogleIdentity, tally: RefreshTally, seconds: Callable[[], float]) -> None:
        self.tokens = cuttable(requests.Session())
        super().__init__(identity.credentials, auth_request=Request(self.tokens))  # type: ignore[no-untyped-call]
        cuttable(self)
        self._tally = tally
        self._seconds = seconds

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Send one request. Raises requests.exceptions.Timeout where it takes too long."""
        self._tally.requests += 1
        return self.in_time(lambda: super(MeteredSession, self).request(*args, **kwargs))  # type: ignore[no-untyped-call]

    def in_time(self, call: Callable[[], _Result]) -> _Result:
        """Return what a call with this session returns. Raises requests.exceptions.Timeout."""
        return within(self._seconds(), call, self, self.tokens)

    def close(self) -> None:
        """Close all connections."""
        super().close()  # type: ignore[no-untyped-call]
        self.tokens.close()
