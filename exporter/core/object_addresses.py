"""Addresses of objects in buckets, `s3://bucket/exports/**/*.parquet`: their parts, and what they match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<bucket>[^/]*)/?(?P<key>.*)", re.DOTALL
)

_STORES: Final = {
    **{"s3": "s3", "s3a": "s3", "s3n": "s3"},
    **{"gs": "gs", "gcs": "gs"},
    **{"az": "az", "abfs": "az", "abfss": "az", "wasb": "az", "wasbs": "az"},
}
"""How people and other tools spell each store."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9$]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}([.-][A-Za-z0-9.-]+)?")
_WILDCARD: Final = re.compile(r"[*?\[]")


class NoObjectAddressError(ValueError):
    """The text is no address of objects. Says what is wrong and how it is written."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where objects are."""

    store: str
    """`s3`, `gs` or `az`."""
    name: str
    """The bucket, or Azure's container."""
    account: str = ""
    """Azure's storage account; empty where the environment names it."""

    def __str__(self) -> str:
        return f"{self.store}://{self.name}@{self.account}" if self.account else f"{self.store}://{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectPattern:
    """Objects of one bucket: all whose key matches a glob, in which `**` stands for any folders."""

    bucket: Bucket
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"

    @property
    def prefix(self) -> str:
        """The fixed part of the key, before the first wildcard: what a store is asked for."""
        found = _WILDCARD.search(self.key)
        return self.key[: found.start()] if found else self.key

    def matches(self, address: str) -> bool:
        """Return whether it is the address of an object that the pattern matches."""
        start = f"{self.bucket}/"
        return address.startswith(start) and self.expression().fullmatch(address, len(start)) is not None

    def expression(self) -> re.Pattern[str]:
        """Return what whole keys match, by the rules of globs for files: `*` takes no leading dot."""
        *folders, name = self.key.split("/")
        text = "".join(
            r"(?:(?!\.)[^/]+/)*" if folder == "**" else _of_segment(folder) + "/" for folder in folders
        )
        return re.compile(text + (r"(?:(?!\.)[^/]+/)*(?!\.)[^/]+" if name == "**" else _of_segment(name)))


def is_address(text: str) -> bool:
    """Return whether a text is meant as a web address or that of objects, not as a path."""
    return _ADDRESS.fullmatch(text) is not None


def object_pattern(text: str) -> ObjectPattern:
    """Return the pattern that a text says. Raises NoObjectAddressError."""
    found = _ADDRESS.fullmatch(text)
    store = _STORES.get(found["scheme"].lower()) if found else None
    if found is None or store is None:
        raise NoObjectAddressError(
            "expected a path, or objects at s3://, gs:// or az://; copy what is elsewhere to a folder, "
            "for example files: [exports/*.parquet]"
        )
    name, _, account = found["bucket"].partition("@")
    account = account.partition(".")[0] if account.endswith(".core.windows.net") else account
    key = found["key"]
    if ":" in found["bucket"] or (account and store != "az"):
        raise NoObjectAddressError(
            "has a user, key or port before the bucket's path; credentials come from the environment and "
            "other servers from object_storage, for example s3://bucket/exports/**/*.parquet"
        )
    if not _BUCKET.fullmatch(name) or (account and not _ACCOUNT.fullmatch(account)):
        example = (
            "az://container@account/exports/**/*.csv" if store == "az" else f"{store}://bucket/exports/*.csv"
        )
        raise NoObjectAddressError(f"names no bucket before the first slash; for example {example}")
    if not key or key.endswith("/"):
        raise NoObjectAddressError(f"names no objects; for example {text.rstrip('/')}/**/*.parquet")
    if min(key) < " ":
        raise NoObjectAddressError("has a control character; write the key as the store shows it")
    return ObjectPattern(Bucket(store, name, account), key)


def _of_segment(glob: str) -> str:
    """Return the expression of one name in a pattern."""
    text, at = "", 0
    while at < len(glob):
        sign = glob[at]
        end = glob.find("]", at + 2) if sign == "[" else -1
        if sign == "*":
            text += "[^/]*"
        elif sign == "?":
            text += "[^/]"
        elif end > 0:
            chosen = glob[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            text += f"[{'^' + chosen[1:] if chosen[0] == '!' else chosen}]"
            at = end
        else:
            text += re.escape(sign)
        at += 1
    return text if glob.startswith(".") else r"(?!\.)" + text
