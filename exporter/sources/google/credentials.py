"""Google credentials of every kind that google-auth knows, and clear words when there are none.

Used by every source that talks to Google; nothing in here prints a secret.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google.auth
from google.auth import credentials as auth_credentials
from google.auth import exceptions, impersonated_credentials

from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.core.errors import SourceError
from exporter.sources.google.credentials_settings import CredentialsSettings

CLOUD_PLATFORM: Final = "https://www.googleapis.com/auth/cloud-platform"
"""Scope that IAM asks for when one account is to act as another."""

UNKNOWN_PRINCIPAL: Final = "the account in use"
"""Of credentials that do not say whose they are: a user's, or any before the first token."""

_HOW_TO_GIVE: Final = (
    "give one of: gcp.credentials_path (a service account key, or a workload identity, external account or "
    "impersonation file), the environment variable GOOGLE_APPLICATION_CREDENTIALS, or application default "
    "credentials by `gcloud auth application-default login`; on Google Cloud, attach a service account"
)


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """Loaded credentials, with what is known of them."""

    credentials: auth_credentials.Credentials
    project_id: str | None
    """The project that the credentials belong to, where they say."""
    principal: str
    """Who this is in IAM, as well as it is known: goes into advice on missing roles."""


def load_identity(settings: CredentialsSettings, scopes: Sequence[str]) -> GoogleIdentity:
    """Load credentials without using them yet.

    Raises SourceError `no_credentials` when there are none, `bad_credentials` when the file is no such file.
    """
    path, target = settings.credentials_path, settings.impersonate_service_account
    wanted = [CLOUD_PLATFORM] if target else list(scopes)
    if path is None:
        credentials, project_id = _default(wanted)
    else:
        # Given scopes while loading, a workload identity would request a token at once.
        unscoped, project_id = _from_file(path.expanduser())
        credentials = auth_credentials.with_scopes_if_required(unscoped, wanted)  # type: ignore[no-untyped-call]
    if target:
        credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
            source_credentials=credentials, target_principal=target, target_scopes=list(scopes)
        )
    return GoogleIdentity(credentials, project_id, target or principal_of(credentials, UNKNOWN_PRINCIPAL))


def access_headers(identity: GoogleIdentity, backoff: Backoff, url: str) -> dict[str, str]:
    """Return the headers that give access to the API at `url`, with a new token where the last one is over.

    Raises SourceError `unavailable` when the token service is not reached, `bad_credentials` when it refuses.
    """
    from google.auth.transport.requests import Request  # noqa: PLC0415 (loads an HTTP client)
    from requests import Session  # noqa: PLC0415
    from requests.exceptions import Timeout  # noqa: PLC0415

    from exporter.sources.http.deadline import cuttable, within  # noqa: PLC0415

    headers: dict[str, str] = {}
    with cuttable(Session()) as session:
        request = Request(session)

        def ask() -> None:
            identity.credentials.before_request(request, "GET", url, headers)  # type: ignore[no-untyped-call]

        def ask_in_time() -> None:
            try:
                within(backoff.limited(REQUEST_SECONDS), ask, session)
            except Timeout as error:
                raise exceptions.TransportError("no answer in time") from error  # type: ignore[no-untyped-call]

        try:
            backoff.call(
                ask_in_time,
                (exceptions.GoogleAuthError,),
                _passes,
            )
        except exceptions.TransportError as error:
            raise SourceError(
                "unavailable",
                f"asking for an access token failed ({type(error).__name__}): check the network to "
                "googleapis.com and its proxy",
            ) from None
        except exceptions.GoogleAuthError as error:
            # Without the cause: what the token service answered must not reach a log.
            raise SourceError(
                "bad_credentials",
                f"no access token could be obtained ({type(error).__name__}): check that the key or the "
                "federation behind gcp.credentials_path is still valid, and gcp.impersonate_service_account",
            ) from None
    return headers


def _passes(error: Exception) -> bool:
    if isinstance(error, exceptions.GoogleAuthError):
        return isinstance(error, exceptions.TransportError) or error.retryable
    return False


def principal_of(credentials: auth_credentials.Credentials, otherwise: str) -> str:
    """Return the service account's e-mail address where the credentials know it, else `otherwise`."""
    email = getattr(credentials, "service_account_email", None)
    # On Google Cloud the attached account is called "default" until a token was fetched.
    return email if isinstance(email, str) and "@" in email else otherwise


def _from_file(path: Path) -> tuple[auth_credentials.Credentials, str | None]:
    try:
        with warnings.catch_warnings():
            # It warns of files from strangers; this one was named by the operator.
            warnings.simplefilter("ignore", DeprecationWarning)
            loaded: tuple[auth_credentials.Credentials, str | None] = google.auth.load_credentials_from_file(
                str(path)
            )  # type: ignore[no-untyped-call]
            return loaded
    except OSError as error:
        raise SourceError(
            "no_credentials",
            f"gcp.credentials_path: {path} cannot be read ({error.strerror}): check the mount and its mode",
        ) from None
    except (exceptions.GoogleAuthError, ValueError, KeyError, TypeError, AttributeError) as error:
        if not path.exists():
            raise SourceError(
                "no_credentials", f"gcp.credentials_path: there is no file {path}; {_HOW_TO_GIVE}"
            ) from None
        # The cause is left out of the text and the chain: it may quote the file.
        raise SourceError(
            "bad_credentials",
            f"gcp.credentials_path: {path} holds no credentials that google-auth can use "
            f"({type(error).__name__}); {_HOW_TO_GIVE}",
        ) from None


def _default(scopes: Sequence[str]) -> tuple[auth_credentials.Credentials, str | None]:
    try:
        return google.auth.default(scopes=scopes)
    except exceptions.DefaultCredentialsError:
        raise SourceError(
            "no_credentials", f"no Google credentials could be loaded; {_HOW_TO_GIVE}"
        ) from None
    except exceptions.GoogleAuthError as error:
        raise SourceError(
            "bad_credentials",
            f"application default credentials give no access token ({type(error).__name__}); {_HOW_TO_GIVE}",
        ) from None
