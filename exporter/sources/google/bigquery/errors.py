"""Decides every failure of BigQuery on Google's reason: whether to try again, and what to tell people.

The exception class says little: a query over the byte cap, for one, arrives as an internal server error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import requests
from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions

from exporter.core.errors import SourceError
from exporter.sources.google.bigquery.costs import suggested_cap
from exporter.sources.google.bigquery.table import MAX_BYTES_KEY, TABLE_KEY

Failure = (
    api_exceptions.GoogleAPIError | auth_exceptions.GoogleAuthError | requests.RequestException | TimeoutError
)
FAILURES: Final = (
    api_exceptions.GoogleAPIError,
    auth_exceptions.GoogleAuthError,
    requests.RequestException,
    TimeoutError,
)
"""Everything that a call to BigQuery can raise."""

_RETRYABLE_REASONS: Final = frozenset(
    {
        "rateLimitExceeded",
        "jobRateLimitExceeded",
        "backendError",
        "jobBackendError",
        "internalError",
        "jobInternalError",
        "badGateway",
        "tableUnavailable",
    }
)
_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
"""Of answers that give no reason: they come from a proxy or load balancer in between."""


Advice = tuple[str, Callable[["Circumstances"], str]]
"""Label of spend_source_errors_total, and what to do."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an error text needs to know to be of help."""

    principal: str
    job_project: str
    table_id: str | None
    location: str | None
    max_bytes_billed: int
    advice: Mapping[str, Advice] = field(default_factory=dict)
    """What to do of Google's reasons, where it differs from that for the billing export."""

    @property
    def table(self) -> str:
        """The table, in words, also before it is known."""
        return self.table_id or "the export table"


def reason_of(error: BaseException) -> str:
    """Return Google's reason (`accessDenied`, `quotaExceeded`, …), or an empty string without one."""
    errors = getattr(error, "errors", None) or ()
    first = errors[0] if errors else None
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def is_transient(error: Exception) -> bool:
    """Whether the same call can succeed in a moment."""
    if isinstance(error, api_exceptions.GoogleAPICallError):
        reason = reason_of(error)
        return reason in _RETRYABLE_REASONS if reason else error.code in _RETRYABLE_STATUSES
    if isinstance(error, auth_exceptions.GoogleAuthError):
        return isinstance(error, auth_exceptions.TransportError) or error.retryable
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidURL):
        return False
    return isinstance(
        error,
        requests.exceptions.ConnectionError
        | requests.exceptions.Timeout
        | requests.exceptions.ChunkedEncodingError
        | requests.exceptions.JSONDecodeError,
    )


def explain(error: Failure, doing: str, at: Circumstances) -> SourceError:
    """Turn a failure into a SourceError that says what failed, why, and what to do next."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        label, advice = _credentials_advice(error)
    elif isinstance(error, api_exceptions.GoogleAPICallError):
        label, advice = _api_advice(error, at)
    elif isinstance(error, TimeoutError | requests.exceptions.Timeout):
        label, advice = "timeout", "no answer in time; it is tried again at the next refresh"
    else:
        label = "unreachable"
        advice = (
            f"BigQuery cannot be reached ({type(error).__name__}): check DNS, the firewall and the proxy "
            "settings (HTTPS_PROXY); it is tried again at the next refresh"
        )
    return SourceError(label, f"{doing} failed: {advice}")


def over_byte_cap(estimate_bytes: int, doing: str, at: Circumstances) -> SourceError:
    """Return the error for a query that would bill more than the configured cap."""
    return SourceError(
        "bytes_cap",
        f"{doing} was not run: it would bill {estimate_bytes:,} bytes ({_gibibytes(estimate_bytes)}), and "
        f"{MAX_BYTES_KEY} allows {at.max_bytes_billed:,} ({_gibibytes(at.max_bytes_billed)}) a query; "
        f"raise {MAX_BYTES_KEY} to at least {suggested_cap(estimate_bytes)}, or keep less history",
    )


def _api_advice(error: api_exceptions.GoogleAPICallError, at: Circumstances) -> tuple[str, str]:
    reason = reason_of(error)
    said = _first_line(error)
    if "VPC Service Controls" in said:
        return "permission_denied", f"{said}; {_perimeter(at)}"
    if (found := at.advice.get(reason) or _ADVICE.get(reason)) is not None:
        label, advice = found
        return label, f"{said}; {advice(at)}"
    if error.code == 401:
        return "bad_credentials", f"{said}; {_renewal('Google refuses the credentials')}"
    if is_transient(error):
        return "unavailable", f"{said}; BigQuery has a problem; it is tried again at the next refresh"
    return "refused", f"{said} (reason {reason or 'not given'}, HTTP {error.code})"


def _perimeter(at: Circumstances) -> str:
    return (
        f"a service perimeter keeps {at.principal} out, whatever its roles: run the exporter inside the "
        "perimeter, or add an ingress rule for this account and bigquery.googleapis.com to it (Security, VPC "
        "Service Controls in the console; its troubleshooter takes the identifier above)"
    )


def _credentials_advice(error: auth_exceptions.GoogleAuthError) -> tuple[str, str]:
    if isinstance(error, auth_exceptions.TransportError):
        return "unreachable", (
            "Google's token service cannot be reached: check DNS, the firewall and the proxy settings "
            "(HTTPS_PROXY); it is tried again at the next refresh"
        )
    text = f"{error.args[0] if error.args else ''}"
    if "invalid_grant" in text or "invalid_client" in text or "deleted_client" in text:
        what = "Google refuses the credentials (invalid_grant): the key was revoked or deleted, has expired, "
        return "bad_credentials", _renewal(f"{what}or the clock of this machine is wrong")
    if "iamcredentials" in text or "impersonat" in text.lower() or "getAccessToken" in text:
        return "permission_denied", (
            "the service account cannot be impersonated: grant roles/iam.serviceAccountTokenCreator on it "
            "to the account that gcp.credentials_path or the application default credentials name"
        )
    # The text may quote an answer of the token service, so only its kind is shown.
    return "bad_credentials", _renewal(f"no access token could be obtained ({type(error).__name__})")


def _renewal(what: str) -> str:
    return (
        f"{what}; make a new key (`gcloud iam service-accounts keys create`) and put it at "
        "gcp.credentials_path, or sign in again with `gcloud auth application-default login`; "
        "no restart is needed"
    )


_ADVICE: Final[dict[str, Advice]] = {
    "accessDenied": (
        "permission_denied",
        lambda at: (
            f"grant {at.principal} roles/bigquery.jobUser on the project {at.job_project} "
            f"and roles/bigquery.dataViewer on the dataset of {at.table}"
        ),
    ),
    "notFound": (
        "not_found",
        lambda at: (
            f"check {TABLE_KEY} ({at.table}) and that its dataset lies in "
            f"{at.location or 'the location that BigQuery gives for it'}; a new export needs some hours "
            "until its table exists"
        ),
    ),
    "quotaExceeded": (
        "quota",
        lambda at: (
            f"a quota of the project {at.job_project} is used up: see IAM & Admin, Quotas in the console, or "
            "raise gcp.update_interval_minutes; it is tried again at the next refresh"
        ),
    ),
    "bytesBilledLimitExceeded": (
        "bytes_cap",
        lambda at: (
            f"{MAX_BYTES_KEY} allows {at.max_bytes_billed:,} bytes a query: raise it, or keep less history"
        ),
    ),
    "rateLimitExceeded": (
        "rate_limited",
        lambda at: f"too many requests in the project {at.job_project}; raise gcp.update_interval_minutes",
    ),
    "jobRateLimitExceeded": (
        "rate_limited",
        lambda at: f"too many jobs in the project {at.job_project}; raise gcp.update_interval_minutes",
    ),
    "invalidQuery": (
        "invalid_query",
        lambda at: (
            f"{at.table} does not have the columns of a billing export in their usual types: set {TABLE_KEY} "
            "to the table that Google writes, or report this together with the table's schema"
        ),
    ),
    "resourcesExceeded": (
        "resources",
        lambda _at: "BigQuery stopped the query because it is too large; keep less history, or report this",
    ),
    "responseTooLarge": (
        "resources",
        lambda _at: "the result is too large for BigQuery; keep less history, or report this",
    ),
    "accessNotConfigured": (
        "permission_denied",
        lambda at: f"turn on the BigQuery API in the project {at.job_project} (bigquery.googleapis.com)",
    ),
    "billingNotEnabled": (
        "permission_denied",
        lambda at: f"link the project {at.job_project} to a billing account, or run the jobs in another one",
    ),
    "stopped": (
        "timeout",
        lambda _at: "the job was cancelled or ran out of time; it is tried again at the next refresh",
    ),
    "timeout": ("timeout", lambda _at: "the job ran out of time; it is tried again at the next refresh"),
}
"""By Google's reason: label of spend_source_errors_total, and what to do."""


def _first_line(error: api_exceptions.GoogleAPICallError) -> str:
    errors = error.errors or ()
    message = errors[0].get("message") if errors and isinstance(errors[0], dict) else None
    lines = str(message or error.message or type(error).__name__).strip().splitlines()
    return lines[0][:500].rstrip(".") if lines else type(error).__name__


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
