"""One refresh's talk with the Recommender API over REST: pages, retries, and advice on what is refused.

Importing this loads google-auth's requests transport, so it is done only where the source is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import requests
from google.auth import exceptions as auth_exceptions
from google.auth.transport.requests import AuthorizedSession

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshTally
from exporter.sources.google.credentials import GoogleIdentity, principal_of
from exporter.sources.http.json_api import LARGEST_ANSWER_BYTES, USER_AGENT, retry_after_seconds

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
"""The only scope that the API takes."""
ENDPOINT: Final = "https://recommender.googleapis.com"
ROLE: Final = "roles/recommender.viewer"
API: Final = "recommender.googleapis.com"
OFF_KEY: Final = "gcp.recommendations.enabled"

_MOST_PAGES: Final = 1000
_PAGE_SIZE: Final = 200
_FAILURES: Final = (requests.RequestException, auth_exceptions.GoogleAuthError)


class ReadRefused(SourceError):
    """The API refused one question."""

    def __init__(self, reason: str, message: str, *, whole_project: bool, everywhere: bool = False) -> None:
        super().__init__(reason, message)
        self.whole_project = whole_project
        """Whether further questions about the project will be refused as well."""
        self.everywhere = everywhere
        """And those about other projects."""


class _NotNow(Exception):
    """An answer that may be another one in a moment."""

    def __init__(self, reason: str, status: int, wait_seconds: float) -> None:
        super().__init__(f"HTTP {status}")
        self.reason = reason
        self.wait_seconds = wait_seconds


@dataclass(slots=True)
class RecommenderSession(AbstractContextManager["RecommenderSession"]):
    """Use as a context manager, which closes its connections. Every call raises ReadRefused."""

    identity: GoogleIdentity
    meter: RefreshTally
    backoff: Backoff
    endpoint: str = ENDPOINT
    timeout_seconds: float = 30.0
    """For one attempt."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _http: AuthorizedSession = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._http = AuthorizedSession(self.identity.credentials)  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        """Nothing is connected yet."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()  # type: ignore[no-untyped-call]

    def locations(self, project_id: str) -> list[str]:
        """Names of the zones and regions for which the project has recommendations or insights.

        The API lists recommendations of one location at a time, and knows no wildcard for it; which locations
        are worth asking is told by its version v1beta1 alone.
        """
        path = f"/v1beta1/projects/{project_id}/locations"
        found = self._listed(project_id, path, "locations", whole_project=True)
        return [str(each.get("locationId") or "") for each in found if isinstance(each, dict)]

    def recommendations(self, project_id: str, location: str, recommender: str) -> Iterator[object]:
        """All active recommendations of one recommender in one location, page after page."""
        path = f"/v1/projects/{project_id}/locations/{location}/recommenders/{recommender}/recommendations"
        yield from self._listed(project_id, path, "recommendations", whole_project=False)

    def _listed(self, project_id: str, path: str, name: str, *, whole_project: bool) -> Iterator[object]:
        token = ""
        for _ in range(_MOST_PAGES):
            params: dict[str, str] = {"pageSize": str(_PAGE_SIZE)}
            if name == "recommendations":
                params["filter"] = "stateInfo.state = ACTIVE"
            if token:
                params["pageToken"] = token
            answer = self._get(project_id, path, params, whole_project=whole_project)
            entries = answer.get(name)
            yield from entries if isinstance(entries, list) else []
            token = str(answer.get("nextPageToken") or "")
            if not token:
                return
        raise ReadRefused(
            "bad_response", f"reading {path} failed: its pages do not end", whole_project=whole_project
        )

    def _get(
        self, project_id: str, path: str, params: dict[str, str], *, whole_project: bool
    ) -> dict[str, Any]:
        try:
            return self.backoff.call(
                lambda: self._attempt(project_id, path, params, whole_project=whole_project),
                (_NotNow, *_FAILURES),
                _passes,
                lambda error: error.wait_seconds if isinstance(error, _NotNow) else 0.0,
            )
        except _NotNow as error:
            detail = f"reading {path} failed ({error}); it is tried again at the next refresh"
            raise ReadRefused(error.reason, detail, whole_project=True) from None
        except auth_exceptions.TransportError as error:
            raise self._unreached("an access token", error) from None
        except auth_exceptions.GoogleAuthError:
            # Without the cause: what the token service answered must not reach a log.
            detail = (
                "no access token could be had for the Recommender API: check that the key or the federation "
                "behind gcp.credentials_path is still valid, and gcp.impersonate_service_account"
            )
            raise ReadRefused("bad_credentials", detail, whole_project=True, everywhere=True) from None
        except requests.RequestException as error:
            raise self._unreached(path, error) from None

    def _unreached(self, what: str, error: Exception) -> ReadRefused:
        kind = type(error).__name__
        detail = f"asking for {what} failed ({kind}): check the network to googleapis.com and its proxy"
        return ReadRefused("unavailable", detail, whole_project=True)

    def _attempt(
        self, project_id: str, path: str, params: dict[str, str], *, whole_project: bool
    ) -> dict[str, Any]:
        self.meter.requests += 1
        response = self._http.request(  # type: ignore[no-untyped-call]
            "GET",
            self.endpoint.rstrip("/") + path,
            params=params,
            headers={"Accept": "application/json", "User-Agent": USER_AGENT},
            timeout=self.timeout_seconds,
            allow_redirects=False,
            stream=True,
        )
        with response:
            status = int(response.status_code)
            if status in (408, 429) or status >= 500:
                wait = retry_after_seconds(response.headers.get("Retry-After", ""), self.now())
                raise _NotNow("rate_limited" if status == 429 else "unavailable", status, wait)
            found = _json_object(response)
        if status == 200 and found is not None:
            return found
        raise self._refusal(status, found, project_id, path, whole_project=whole_project)

    def _refusal(
        self, status: int, found: dict[str, Any] | None, project_id: str, path: str, *, whole_project: bool
    ) -> ReadRefused:
        # Known only once a token was fetched, on Google Cloud.
        principal = principal_of(self.identity.credentials, self.identity.principal)
        if status == 401:
            detail = f"Google does not accept the credentials of {principal}: check gcp.credentials_path"
            return ReadRefused("unauthorized", detail, whole_project=True, everywhere=True)
        if status == 403 and "SERVICE_DISABLED" in _reasons(found):
            detail = (
                f"the Recommender API is off in {project_id}: `gcloud services enable {API} --project "
                f"{project_id}`, or set {OFF_KEY} to false"
            )
            return ReadRefused("api_disabled", detail, whole_project=True)
        if status == 403:
            detail = (
                f"{principal} may not read the recommendations of {project_id}: grant it {ROLE} there, "
                f"or set {OFF_KEY} to false"
            )
            return ReadRefused("permission_denied", detail, whole_project=True)
        if status == 404 and whole_project:
            detail = f"there is no project {project_id}: check gcp.project_ids"
            return ReadRefused("not_found", detail, whole_project=True)
        if status in (400, 404):
            detail = f"reading {path} failed (HTTP {status}): this recommender does not know the location"
            return ReadRefused("not_offered", detail, whole_project=whole_project)
        what = f"HTTP {status}" if status != 200 else "an answer that is no JSON object"
        detail = f"reading {path} failed ({what}): check that no proxy answers in place of {API}"
        return ReadRefused("bad_response", detail, whole_project=True)


def _passes(error: Exception) -> bool:
    if isinstance(error, _NotNow):
        return True
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return isinstance(error, auth_exceptions.TransportError) or error.retryable
    if isinstance(error, requests.exceptions.SSLError):
        return False
    lost = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, lost)


def _json_object(response: requests.Response) -> dict[str, Any] | None:
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > LARGEST_ANSWER_BYTES:
            return None
    try:
        found = json.loads(bytes(body))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _reasons(found: dict[str, Any] | None) -> set[str]:
    """Google's reasons, as google.rpc.ErrorInfo tells them."""
    error = (found or {}).get("error")
    details = error.get("details") if isinstance(error, dict) else None
    return {
        str(each.get("reason"))
        for each in (details if isinstance(details, list) else [])
        if isinstance(each, dict)
    }
