"""One refresh's talk with the Recommender API over REST: its pages, and advice on what is refused.

Importing this loads an HTTP client and google-auth, so it is done only where the source is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshTally
from exporter.sources.google.credentials import GoogleIdentity, access_headers, principal_of
from exporter.sources.http.json_api import ApiError, JsonApi

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
"""The only scope that the API takes."""
ENDPOINT: Final = "https://recommender.googleapis.com"
ROLE: Final = "roles/recommender.viewer"
API: Final = "recommender.googleapis.com"
OFF_KEY: Final = "gcp.recommendations.enabled"

_MOST_PAGES: Final = 1000
_PAGE_SIZE: Final = 200


class ReadRefused(SourceError):
    """The API refused one question."""

    def __init__(self, reason: str, message: str, *, whole_project: bool, everywhere: bool = False) -> None:
        super().__init__(reason, message)
        self.whole_project = whole_project
        """Whether further questions about the project will be refused as well."""
        self.everywhere = everywhere
        """And those about other projects."""


@dataclass(slots=True)
class RecommenderSession(AbstractContextManager["RecommenderSession"]):
    """Use as a context manager, which closes its connections. Every call raises ReadRefused."""

    identity: GoogleIdentity
    tally: RefreshTally
    backoff: Backoff
    endpoint: str = ENDPOINT
    timeout_seconds: float = 30.0
    """For one attempt."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _api: JsonApi = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._api = JsonApi(
            self.endpoint,
            lambda: access_headers(self.identity, self.backoff, self.endpoint),
            name="Recommender",
            config_key="gcp.credentials_path",
            tally=self.tally,
            backoff=self.backoff,
            timeout_seconds=self.timeout_seconds,
            now=self.now,
        )

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
        self._api.__exit__(exception_type, exception, traceback)

    def locations(self, project_id: str) -> list[str]:
        """Names of the zones and regions for which the project has recommendations or insights.

        The API lists recommendations of one location at a time, and knows no wildcard for it; only its
        version v1beta1 lists which locations are worth a question.
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
            params: dict[str, str | int] = {"pageSize": _PAGE_SIZE}
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
        self, project_id: str, path: str, params: dict[str, str | int], *, whole_project: bool
    ) -> dict[str, object]:
        try:
            return self._api.get(path, params)
        except ApiError as error:
            raise self._refusal(error, project_id, path, whole_project=whole_project) from None
        except SourceError as error:  # no access token
            everywhere = error.reason == "bad_credentials"
            raise ReadRefused(error.reason, str(error), whole_project=True, everywhere=everywhere) from None

    def _refusal(self, error: ApiError, project_id: str, path: str, *, whole_project: bool) -> ReadRefused:
        # Known only once a token was fetched, on Google Cloud.
        principal = principal_of(self.identity.credentials, self.identity.principal)
        if error.status == 401:
            detail = f"Google does not accept the credentials of {principal}: check gcp.credentials_path"
            return ReadRefused("unauthorized", detail, whole_project=True, everywhere=True)
        if error.status == 403 and "SERVICE_DISABLED" in _reasons(error.answer):
            detail = (
                f"the Recommender API is off in {project_id}: `gcloud services enable {API} --project "
                f"{project_id}`, or set {OFF_KEY} to false"
            )
            return ReadRefused("api_disabled", detail, whole_project=True)
        if error.status == 403:
            detail = (
                f"{principal} may not read the recommendations of {project_id}: grant it {ROLE} there, "
                f"or set {OFF_KEY} to false"
            )
            return ReadRefused("permission_denied", detail, whole_project=True)
        if error.status == 404 and whole_project:
            detail = f"there is no project {project_id}: check gcp.project_ids"
            return ReadRefused("not_found", detail, whole_project=True)
        if error.status in (400, 404):
            detail = (
                f"reading {path} failed (HTTP {error.status}): this recommender does not know the location"
            )
            return ReadRefused("not_offered", detail, whole_project=whole_project)
        return ReadRefused(error.reason, str(error), whole_project=True)


def _reasons(answer: object) -> set[str]:
    """Google's reasons, from each google.rpc.ErrorInfo."""
    error = answer.get("error") if isinstance(answer, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return {
        str(each.get("reason"))
        for each in (details if isinstance(details, list) else [])
        if isinstance(each, dict)
    }
