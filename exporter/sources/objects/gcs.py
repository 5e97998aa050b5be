"""Google Cloud Storage, by gcsfs: how it is opened, and what its failures mean."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from exporter.sources.objects.failures import Failure, Kind
from exporter.sources.objects.store import Connection

if TYPE_CHECKING:
    from exporter.config.object_storage import GoogleStorage
    from exporter.sources.google.credentials_settings import CredentialsSettings

_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_only"

_KINDS: Final = {
    401: Kind.BAD_CREDENTIALS,
    403: Kind.PERMISSION,
    404: Kind.NOT_FOUND,
    429: Kind.THROTTLED,
    503: Kind.THROTTLED,
}


def connection(settings: GoogleStorage, credentials: CredentialsSettings) -> Connection:
    """Open Google Cloud Storage. Raises ImportError without gcsfs, SourceError without credentials."""
    import aiohttp  # noqa: PLC0415 - an extra

    # Not gcsfs' own default, which asks a second API, over gRPC, what kind of bucket each one is.
    from gcsfs.core import GCSFileSystem  # noqa: PLC0415
    from gcsfs.retry import HttpError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    from exporter.sources.google.credentials import load_identity  # noqa: PLC0415

    # It logs each failure that it raises with a traceback, and with what the server said.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    # An emulator of the protocol takes no credentials, and gets none.
    emulated = "STORAGE_EMULATOR_HOST" in os.environ
    given = settings.anonymous or emulated or load_identity(credentials, [_SCOPE]).credentials
    filesystem = GCSFileSystem(
        token="anon" if given is True else given,
        endpoint_url=settings.endpoint_url,
        access="read_only",
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    failures = (OSError, HttpError, GoogleAuthError, aiohttp.ClientError, ValueError)
    return Connection(filesystem, failures, _explained)


def _explained(error: Exception) -> Failure:
    if isinstance(error, FileNotFoundError):
        return Failure(Kind.NOT_FOUND, "404")
    code = getattr(error, "code", None)
    # gcsfs makes an error without a code of a refusal.
    if code is None and str(error).startswith("Forbidden"):
        code = 403
    try:
        return Failure(_KINDS.get(int(str(code)), Kind.UNAVAILABLE), str(code))
    except ValueError:
        name = type(error).__name__
        return Failure(Kind.BAD_CREDENTIALS if name == "RefreshError" else Kind.UNAVAILABLE, name)
