"""Azure Blob Storage and Data Lake Storage, by adlfs: how they are opened, and what their failures mean."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from exporter.core.errors import SourceError
from exporter.core.object_addresses import Bucket
from exporter.sources.objects.failures import Failure, Kind
from exporter.sources.objects.store import Connection

if TYPE_CHECKING:
    from exporter.config.object_storage import AzureStorage

_KINDS: Final = {
    **dict.fromkeys(
        ("AuthenticationFailed", "InvalidAuthenticationInfo", "ClientAuthenticationError", "401"),
        Kind.BAD_CREDENTIALS,
    ),
    **dict.fromkeys(("CredentialUnavailableError", "NoAccount"), Kind.NO_CREDENTIALS),
    **dict.fromkeys(
        (
            *("AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthorizationFailed"),
            *("InsufficientAccountPermissions", "NoAuthenticationInformation", "403"),
        ),
        Kind.PERMISSION,
    ),
    **dict.fromkeys(("ContainerNotFound", "BlobNotFound", "ResourceNotFound", "404"), Kind.NOT_FOUND),
    **dict.fromkeys(("ServerBusy", "429", "503"), Kind.THROTTLED),
}
"""Code of an answer, or name of an error of the client -> what it means. Others are temporary."""


_NAMING_AN_ACCOUNT: Final = {"AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"}


def connection(bucket: Bucket, settings: AzureStorage) -> Connection:
    """Open a storage account with the usual credentials of Azure. Raises ImportError, SourceError."""
    import adlfs  # noqa: PLC0415 - an extra
    from azure.core.exceptions import AzureError  # noqa: PLC0415

    account = bucket.account or settings.account
    if account is None and not os.environ.keys() & _NAMING_AN_ACCOUNT:
        raise SourceError(
            "bad_configuration",
            f"{bucket}: no storage account is named; write {bucket.store}://{bucket.name}@ACCOUNT/…, or set "
            "object_storage.azure.account or AZURE_STORAGE_ACCOUNT_NAME",
        )
    # An account may be given as its whole host, in clouds of their own.
    named = {"account_name": account.partition(".")[0]} if account else {}
    if account and "." in account:
        named["account_host"] = account
    failures = (OSError, AzureError, ValueError)
    try:
        filesystem = adlfs.AzureBlobFileSystem(
            **named,
            anon=settings.anonymous,
            max_concurrency=1,
            connection_timeout=10,
            read_timeout=60,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
    except failures as error:
        # Without the cause: it may repeat the connection string.
        raise SourceError(
            "bad_credentials",
            f"{bucket}: the storage account cannot be opened ({type(error).__name__}): check "
            "AZURE_STORAGE_CONNECTION_STRING, or the variable that has the account's key",
        ) from None
    return Connection(filesystem, failures, _explained)


def _explained(error: Exception) -> Failure:
    cause = error.__cause__ if isinstance(error, FileNotFoundError | PermissionError) else None
    raised = cause or error
    code = getattr(raised, "error_code", None)
    said = str(getattr(code, "value", code) or "")
    if said not in _KINDS:
        status = getattr(raised, "status_code", None)
        said = str(status) if str(status) in _KINDS else said or type(raised).__name__
    if said not in _KINDS and isinstance(error, FileNotFoundError):
        return Failure(Kind.NOT_FOUND, said)
    kind = _KINDS.get(said, Kind.UNAVAILABLE)
    return Failure(kind, said, _wait_seconds(raised) if kind is Kind.THROTTLED else 0.0)


def _wait_seconds(error: BaseException) -> float:
    from exporter.sources.http.json_api import retry_after_seconds  # noqa: PLC0415 (loads the HTTP client)

    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return retry_after_seconds(str(headers.get("Retry-After", "")), datetime.now(UTC))
