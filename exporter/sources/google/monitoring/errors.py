"""Decides every failure of Cloud Monitoring: try again or not and when, whom it concerns, what to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from google.rpc import error_details_pb2

from exporter.core.errors import SourceError

FAILURES: Final = (api_exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError)
"""Everything that a call to Cloud Monitoring can raise."""

Scope = Literal["meter", "project", "everything"]
"""What need not be read after a failure."""

_TRANSIENT: Final = (
    api_exceptions.ServiceUnavailable,
    api_exceptions.DeadlineExceeded,
    api_exceptions.ResourceExhausted,
    api_exceptions.InternalServerError,
    api_exceptions.Aborted,
    # A connection reset arrives as such.
    api_exceptions.Unknown,
    api_exceptions.Cancelled,
)
_TOKENLESS: Final = "Getting metadata from plugin failed"
"""How gRPC words it when credentials give no access token; it arrives as UNAVAILABLE."""


class ReadFailed(SourceError):
    """A read that was given up, and what else it makes pointless."""

    def __init__(self, reason: str, message: str, scope: Scope) -> None:
        super().__init__(reason, message)
        self.scope: Scope = scope


@dataclass(frozen=True, slots=True)
class Question:
    """What was queried, for the text of an error."""

    principal: str
    project_id: str
    metric_type: str


def is_transient(error: Exception) -> bool:
    """Whether the same call can succeed in a moment."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return isinstance(error, auth_exceptions.TransportError)
    if isinstance(error, api_exceptions.ServiceUnavailable) and _TOKENLESS in str(error):
        return "TransportError" in str(error)
    return isinstance(error, _TRANSIENT)


def asked_wait_seconds(error: Exception) -> float:
    """The wait that the server asks for by RetryInfo; 0 where it asks for none."""
    for detail in getattr(error, "details", None) or ():
        if isinstance(detail, error_details_pb2.RetryInfo):
            return float(detail.retry_delay.seconds) + float(detail.retry_delay.nanos) / 1e9
    return 0.0


def explain(error: Exception, question: Question) -> ReadFailed:
    """Turn a failure into one that says what failed, why, and what to do next."""
    reason, advice, scope = _verdict(error, question)
    return ReadFailed(
        reason, f"reading {question.metric_type} of the project {question.project_id} failed: {advice}", scope
    )


def _verdict(error: Exception, question: Question) -> tuple[str, str, Scope]:
    text = _first_line(error)
    verdict: tuple[str, str, Scope]
    match error:
        case auth_exceptions.GoogleAuthError() | api_exceptions.Unauthenticated():
            verdict = "bad_credentials", _RENEW, "everything"
        case api_exceptions.ServiceUnavailable() if _TOKENLESS in str(error) and not is_transient(error):
            # The text may quote an answer of the token service, so it is left out.
            verdict = "bad_credentials", _RENEW, "everything"
        case api_exceptions.Forbidden() if error.reason == "SERVICE_DISABLED":
            advice = f"turn on the Cloud Monitoring API (monitoring.googleapis.com) in {question.project_id}"
            verdict = "permission_denied", f"{text}; {advice}", "project"
        case api_exceptions.Forbidden():
            advice = (
                f"grant {question.principal} roles/monitoring.viewer on the project {question.project_id}"
            )
            verdict = "permission_denied", f"{text}; {advice}, or take it out of gcp.project_ids", "project"
        case api_exceptions.NotFound() if question.metric_type in text:
            verdict = "unknown_metric", f"{text}; the project has no such metric yet", "meter"
        case api_exceptions.NotFound():
            advice = "check gcp.project_ids: it takes project ids, not names or numbers"
            verdict = "not_found", f"{text}; {advice}", "project"
        case api_exceptions.ResourceExhausted():
            verdict = "quota", f"{text}; {_QUOTA}", "project"
        case api_exceptions.DeadlineExceeded():
            verdict = "timeout", "no answer in time; it is tried again at the next refresh", "meter"
        case _ if is_transient(error):
            # It was tried for a while: what else there is to ask would find it no better.
            verdict = "unavailable", f"{text}; it is tried again at the next refresh", "project"
        case _:
            verdict = "refused", f"{text} ({type(error).__name__}); please report this", "meter"
    return verdict


_RENEW: Final = (
    "Google does not accept the credentials; make a new key and put it at gcp.credentials_path, or sign in "
    "again with `gcloud auth application-default login`; no restart is needed"
)
_QUOTA: Final = (
    "the read quota of Cloud Monitoring is used up: see IAM & Admin, Quotas in the console, or read less "
    "often; it is tried again at the next refresh"
)


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "message", "") or type(error).__name__).strip().splitlines()
    return lines[0][:500].rstrip(".") if lines else type(error).__name__
