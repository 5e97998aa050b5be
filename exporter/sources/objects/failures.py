"""Failures of object stores in plain words: what failed, and the role or setting to add."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from exporter.core.errors import SourceError
from exporter.core.object_addresses import Bucket


class Access(Enum):
    """What was tried."""

    LIST = "list"
    READ = "read"


class ObjectError(OSError):
    """One object could not be read; others can be. The text names the object and what to do."""


class Kind(Enum):
    """What is wrong, by what helps against it."""

    NO_CREDENTIALS = "no_credentials"
    BAD_CREDENTIALS = "bad_credentials"
    PERMISSION = "permission_denied"
    NOT_FOUND = "not_found"
    REGION = "wrong_region"
    DAMAGED = "damaged"
    THROTTLED = "quota"
    UNAVAILABLE = "unavailable"


class Failure(NamedTuple):
    """What a store said."""

    kind: Kind
    said: str
    """Its code, never more: messages of stores can repeat what was sent."""
    wait_seconds: float = 0.0
    """How long it asks to wait before the next request; 0 where it does not say."""


class ThrottledError(SourceError):
    """The store asks for fewer requests: the same one may succeed after a pause."""

    wait_seconds: float = 0.0
    """As in Failure."""


_OF_ONE_OBJECT: Final = (Kind.PERMISSION, Kind.NOT_FOUND, Kind.DAMAGED)
"""Failures to read one object after which others can be read all the same."""

Explain = Callable[[Exception], Failure]
"""Says what a failure of one kind of store means."""

_CREDENTIALS: Final = {
    "s3": "set AWS_PROFILE or object_storage.s3.profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "attach a role to this machine, task or service account; a public bucket needs "
    "object_storage.s3.anonymous",
    "gs": "set object_storage.gcs.credentials_path or GOOGLE_APPLICATION_CREDENTIALS, or attach a service "
    "account; a public bucket needs object_storage.gcs.anonymous",
    "az": "set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or "
    "AZURE_CLIENT_ID with its secret, log in with `az login`, or attach a managed identity",
}

_REGION: Final = {
    "s3": "set object_storage.s3.region to the region of the bucket",
    "gs": "check object_storage.gcs.endpoint_url",
    "az": "name the account's own host, for example az://container@account.blob.core.windows.net/exports/*.csv",
}


def explained(
    error: Exception, explain: Explain, bucket: Bucket, access: Access, key: str
) -> SourceError | ObjectError:
    """Return what to raise for a failure: ObjectError where other objects may be readable all the same."""
    found = explain(error)
    place = f"{bucket}/{key}"
    tried = f"{place}* could not be listed" if access is Access.LIST else f"{place} could not be read"
    text = f"{tried} ({found.said}): {_advice(found.kind, bucket, access, key)}"
    of_one_object = access is Access.READ and found.kind in _OF_ONE_OBJECT
    if of_one_object:
        return ObjectError(text)
    text += "; the last good data stays"
    if found.kind is Kind.THROTTLED:
        throttled = ThrottledError(found.kind.value, text)
        throttled.wait_seconds = found.wait_seconds
        return throttled
    reason = Kind.NOT_FOUND if found.kind is Kind.REGION else found.kind
    return SourceError(reason.value, text)


def _advice(kind: Kind, bucket: Bucket, access: Access, key: str) -> str:
    credentials = _CREDENTIALS[bucket.store]
    no_bucket = "there is no such bucket; check its name, and the account or endpoint in object_storage"
    deleted = "it was deleted after it was listed; the next refresh sees that"
    texts = {
        Kind.NO_CREDENTIALS: f"there are no credentials; {credentials}",
        Kind.BAD_CREDENTIALS: "the credentials are wrong or have expired; renew them (they are read again at "
        f"the next refresh), and check this machine's clock; or {credentials}",
        Kind.PERMISSION: f"grant {_role(bucket, access, key)} to the identity in use",
        Kind.NOT_FOUND: no_bucket if access is Access.LIST else deleted,
        Kind.REGION: f"the bucket is in another region; {_REGION[bucket.store]}",
        Kind.DAMAGED: "it did not arrive as it was stored, and was thrown away; check proxies between here "
        "and the store",
        Kind.THROTTLED: "rate limiting: the store asks for fewer requests, also after some pauses; the next "
        "refresh tries again. If this stays, raise update_interval_minutes, narrow the part of the pattern "
        "before its first wildcard, or see what else uses up the limit",
        Kind.UNAVAILABLE: "check the network, its proxy and the endpoint in object_storage; the next refresh "
        "tries again",
    }
    return texts[kind]


def _role(bucket: Bucket, access: Access, key: str) -> str:
    if bucket.store == "s3":
        if access is Access.LIST:
            return f"s3:ListBucket on arn:aws:s3:::{bucket.name}"
        return (
            f"s3:GetObject on arn:aws:s3:::{bucket.name}/{key}, and kms:Decrypt on its key where it is "
            "encrypted with one"
        )
    if bucket.store == "gs":
        return f"Storage Object Viewer (roles/storage.objectViewer) on the bucket {bucket.name}"
    return f"Storage Blob Data Reader on the container {bucket.name}"
