"""Prometheus' remote-write protocol, version 1.0: encodes samples and sends them to a receiver over HTTP.

Protocol: https://prometheus.io/docs/specs/prw/remote_write_spec/. Its messages are a few lines of
protobuf, so they are written by hand: no generated code that has to agree with a release of protobuf.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import cramjam
import requests
from requests.auth import AuthBase

from exporter import __version__
from exporter.core.printable import shown_line
from exporter.sources.http.deadline import CuttableAdapter, cuttable, within
from exporter.sources.http.error_texts import cause_of
from exporter.sources.http.json_api import retry_after_seconds

_HEADERS: Final = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": f"spend-exporter/{__version__}",
}
_LONGEST_WORDS: Final = 300
_LARGEST_ANSWER_BYTES: Final = 8192

_ABOUT_SAMPLES: Final = frozenset({400, 409, 413, 422})
"""Statuses with which receivers refuse samples; Thanos answers 409 where samples conflict with its own."""

_AHEAD: Final = re.compile(r"far in (?:the )?future|too[ -]new", re.IGNORECASE)
"""Prometheus: `out of bounds: timestamp is too far in the future`; Mimir: `err-mimir-too-far-in-future`."""
_TOO_OLD: Final = re.compile(r"too[ -]old|out of bounds|out-of-bounds|too far in the past", re.IGNORECASE)
_OUT_OF_ORDER: Final = re.compile(r"out[ -]of[ -]order|duplicate sample", re.IGNORECASE)


class Sample(NamedTuple):
    """One value of one series."""

    labels: tuple[tuple[str, str], ...]
    """Names and values, sorted by name, with `__name__`; none empty."""
    timestamp_ms: int
    value: float


class NotDelivered(Exception):
    """A request failed, not because of its samples; the text gives what to do."""

    def __init__(self, reason: str, text: str, *, transient: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.reason = reason
        self.transient = transient
        """Whether a retry within a minute may succeed."""
        self.wait_seconds = wait_seconds
        """Wait that the receiver requested."""


class Refused(Exception):
    """The receiver refused at least one of the samples; the text quotes it."""

    def __init__(self, text: str, *, too_old: bool = False, ahead: bool = False) -> None:
        super().__init__(text)
        self.too_old = too_old
        """Whether the time is too long ago for the receiver; then all earlier samples are too."""
        self.ahead = ahead
        """Whether the time is in the receiver's future; then all later samples are too."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where samples are sent, and with which credentials. Secrets are read for each request."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorization: Callable[[], tuple[str, ...]] | None = field(default=None, repr=False)
    """Returns a user's name and password, or a bearer token alone. Raises SourceError."""
    ca_file: str | None = None
    certificate: tuple[str, str] | None = None
    """Paths of the certificate and its key."""
    server_name: str | None = None
    timeout_seconds: float = 30.0
    """Limit for one whole request."""

    def session(self) -> requests.Session:
        """Return a session that keeps its connections; the caller closes it."""
        return cuttable(requests.Session(), _NamedServer(self.server_name) if self.server_name else None)

    def write(self, session: requests.Session, samples: Sequence[Sample]) -> None:
        """Send the samples in one request. Raises NotDelivered or Refused."""
        try:
            within(self.timeout_seconds, lambda: self._write(session, samples), session)
        except requests.exceptions.Timeout:
            text = f"no answer within {self.timeout_seconds:g} s"
            raise NotDelivered("timeout", self._described(text), transient=True) from None

    def _write(self, session: requests.Session, samples: Sequence[Sample]) -> None:
        credentials = self.authorization() if self.authorization else ()
        try:
            with session.post(
                self.url,
                data=encode(samples),
                # Passed as `auth`, so that ~/.netrc does not override the credentials.
                auth=CredentialHeaders({**self.headers, **_HEADERS}, credentials),
                timeout=self.timeout_seconds,
                verify=self.ca_file or True,
                cert=self.certificate,
                allow_redirects=False,
                stream=True,
            ) as response:
                words = _without(credentials, _words(response))
                if not 200 <= response.status_code < 300:
                    raise self._failure(response, words)
        except requests.exceptions.Timeout:
            raise
        except requests.exceptions.SSLError as error:
            text = f"no secure connection ({cause_of(error)}); check the certificates and `tls`"
            raise NotDelivered("tls", self._described(text)) from None
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            text = f"the connection failed ({cause_of(error)}); is it running, and is the address right?"
            raise NotDelivered("unavailable", self._described(text), transient=True) from None
        except (requests.exceptions.RequestException, OSError, UnicodeError) as error:
            text = f"the request cannot be made ({type(error).__name__}); check `url` and `tls`"
            raise NotDelivered("configuration", self._described(text)) from None

    def _failure(self, response: requests.Response, words: str) -> NotDelivered | Refused:
        status = response.status_code
        reply = f'HTTP {status} ("{words}")' if words else f"HTTP {status}"
        ahead = bool(_AHEAD.search(words))
        # Prometheus says "out of bounds" of both.
        too_old = not ahead and bool(_TOO_OLD.search(words))
        # Prometheus 2.42 answers 500 to samples that are too old; 3 answers 400.
        if status in _ABOUT_SAMPLES or (status == 500 and (too_old or ahead or _OUT_OF_ORDER.search(words))):
            text = self._described(f"{reply}{_advice(too_old, ahead, words)}")
            return Refused(text, too_old=too_old, ahead=ahead)
        if status in {429, 408} or status >= 500:
            wait = retry_after_seconds(response.headers.get("Retry-After", ""), datetime.now(UTC))
            reason = "rate_limited" if status == 429 else "unavailable"
            return NotDelivered(reason, self._described(reply), transient=True, wait_seconds=wait)
        if status in (401, 403):
            text = f"{reply}; check `basic_auth`, `bearer_token_file` and what they give access to"
            return NotDelivered("unauthorized", self._described(text))
        text = (
            f"{reply}; check that `url` is the receiver's remote-write address, and that remote "
            f"write is enabled"
        )
        return NotDelivered("configuration", self._described(text))

    def _described(self, text: str) -> str:
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        return f"history.remote_write: {host}: {text}"


def encode(samples: Iterable[Sample]) -> bytes:
    """Return a compressed WriteRequest. Consecutive samples of a series share one entry."""
    parts = []
    # There are few hours, each with many series.
    stamps: dict[int, bytes] = {}
    for labels, group in groupby(samples, key=lambda sample: sample.labels):
        series = b"".join(
            _message(1, _message(1, name.encode()) + _message(2, value.encode())) for name, value in labels
        )
        encoded = []
        for _, timestamp_ms, value in group:
            stamp = stamps.get(timestamp_ms)
            if stamp is None:
                stamp = stamps[timestamp_ms] = b"\x10" + _varint(timestamp_ms)
            encoded.append(b"\x12%c\x09%b%b" % (9 + len(stamp), _DOUBLE(value), stamp))
        parts.append(_message(1, series + b"".join(encoded)))
    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


_DOUBLE: Final = struct.Struct("<d").pack


def _message(number: int, content: bytes) -> bytes:
    """A field of bytes: a text or a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    number &= 0xFFFF_FFFF_FFFF_FFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _advice(too_old: bool, ahead: bool, words: str) -> str:
    if ahead:
        return (
            "; by the receiver's clock these hours have not ended: compare the clocks of both machines, "
            "and let NTP set them"
        )
    if too_old or _OUT_OF_ORDER.search(words):
        return (
            "; the receiver must accept samples as old as `since_days`: set out_of_order_time_window "
            "(Prometheus, Mimir) or --tsdb.out-of-order.time-window (Thanos) to some days more, and restart"
        )
    return ""


class CredentialHeaders(AuthBase):
    """Adds headers and credentials to a request, so that ~/.netrc does not override them."""

    def __init__(self, headers: Mapping[str, str], credentials: tuple[str, ...]) -> None:
        self._headers = headers
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with them."""
        request.headers.update(self._headers)
        if len(self._credentials) == 2:
            user, password = (each.encode() for each in self._credentials)
            requests.auth.HTTPBasicAuth(user, password)(request)
        elif self._credentials:
            request.headers["Authorization"] = f"Bearer {self._credentials[0]}"
        return request


class _NamedServer(CuttableAdapter):
    """Verifies the certificate against another name than that of the address."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def fresh(self) -> Self:
        return type(self)(self._name)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        super().init_poolmanager(
            connections, maxsize, block, server_hostname=self._name, assert_hostname=self._name, **more
        )


def _words(response: requests.Response) -> str:
    """Return the receiver's answer as one short line."""
    body = bytearray()
    for chunk in response.iter_content(1):
        body += chunk
        if len(body) > _LARGEST_ANSWER_BYTES:
            break
    text = " ".join(body.decode("utf-8", "replace").split())
    text = shown_line(text)
    return "a web page" if text[:1] == "<" else text


def _without(credentials: tuple[str, ...], words: str) -> str:
    for secret in credentials[-1:]:
        words = words.replace(secret, "***")
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + "…"
