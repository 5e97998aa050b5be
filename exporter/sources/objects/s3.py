"""Amazon S3 and stores like it, by s3fs: how it is opened, and what its failures mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from exporter.sources.objects.failures import Failure, Kind
from exporter.sources.objects.store import Connection

if TYPE_CHECKING:
    from exporter.config.object_storage import S3Storage

_KINDS: Final = {
    **dict.fromkeys(
        ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ConfigNotFound"),
        Kind.NO_CREDENTIALS,
    ),
    **dict.fromkeys(
        (
            *("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"),
            *("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidClientTokenId"),
            *("UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError"),
            *("CredentialRetrievalError", "UnrecognizedClientException"),
        ),
        Kind.BAD_CREDENTIALS,
    ),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "InvalidObjectState", "403"), Kind.PERMISSION),
    **dict.fromkeys(("NoSuchBucket", "NoSuchKey", "404"), Kind.NOT_FOUND),
    **dict.fromkeys(
        (
            *("PermanentRedirect", "TemporaryRedirect", "Redirect", "301", "307"),
            *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ),
        Kind.REGION,
    ),
    "FlexibleChecksumError": Kind.DAMAGED,
    **dict.fromkeys(
        ("SlowDown", "RequestLimitExceeded", "TooManyRequests", "Throttling", "429", "503"), Kind.THROTTLED
    ),
}
"""Code of an answer, or name of an error of botocore -> what it means. Others are temporary."""

_MOST_AT_ONCE: Final = 1
"""Parts of one object that are downloaded at the same time: each is held in memory."""


def connection(settings: S3Storage) -> Connection:
    """Open S3 with the usual credentials of AWS. Asks nothing yet; raises ImportError without s3fs."""
    import aiohttp  # noqa: PLC0415 - an extra
    import s3fs  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    filesystem = s3fs.S3FileSystem(
        anon=settings.anonymous,
        profile=settings.profile,
        endpoint_url=settings.endpoint_url,
        client_kwargs={"region_name": settings.region} if settings.region else {},
        # s3fs tries five times more, with growing pauses; a failed refresh comes again soon as well.
        config_kwargs={
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"mode": "standard", "total_max_attempts": 2},
        },
        requester_pays=settings.requester_pays,
        max_concurrency=_MOST_AT_ONCE,
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    return Connection(filesystem, (OSError, BotoCoreError, ClientError, aiohttp.ClientError), _explained)


def _explained(error: Exception) -> Failure:
    # s3fs makes an error of Python of an answer, and keeps the answer as its cause.
    cause = error.__cause__ or error
    answer = getattr(cause, "response", None)
    answered = answer if isinstance(answer, dict) else {}
    said = answered.get("Error", {}).get("Code")
    http = answered.get("ResponseMetadata", {})
    status = str(http.get("HTTPStatusCode", ""))
    if not isinstance(said, str):
        said = status or type(cause).__name__
    if said not in _KINDS and isinstance(error, FileNotFoundError):
        return Failure(Kind.NOT_FOUND, said)
    if said not in _KINDS and isinstance(error, PermissionError):
        return Failure(Kind.PERMISSION, said)
    # The code can be one that only this store has, or missing from the answer of a proxy.
    kind = _KINDS.get(said) or _KINDS.get(status, Kind.UNAVAILABLE)
    return Failure(kind, said, _wait_seconds(http) if kind is Kind.THROTTLED else 0.0)


def _wait_seconds(http: dict[str, Any]) -> float:
    from exporter.sources.http.json_api import retry_after_seconds  # noqa: PLC0415 (loads the HTTP client)

    headers = http.get("HTTPHeaders", {})
    return retry_after_seconds(str(headers.get("retry-after", "")), datetime.now(UTC))
