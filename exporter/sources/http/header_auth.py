"""Headers that a request keeps: set last, so that no other source of passwords replaces them (~/.netrc)."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.auth import AuthBase


class HeaderAuth(AuthBase):
    """Sets the headers of a request."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with them."""
        request.headers.update(self._headers)
        return request
