"""A client for web APIs that answer GET with JSON: tries again what may pass, explains what will not.

Numbers with a fraction arrive as Decimal, so that no amount goes through a binary float.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

import requests

import exporter
from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.core.errors import SourceError
from exporter.core.printable import shown_line
from exporter.sources.base import RefreshTally
from exporter.sources.http.deadline import cuttable, within
from exporter.sources.http.error_texts import cause_of, secrets_in, without_secrets, words_of
from exporter.sources.http.header_auth import HeaderAuth

LARGEST_ANSWER_BYTES: Final = 64 * 2**20
"""Of one answer after decompression; a page of any API read here is far smaller."""

USER_AGENT: Final = f"spend-exporter/{exporter.__version__}"

Params = Mapping[str, str | int | Sequence[str]]
"""Query parameters; a sequence is sent as the same name several times."""

_Content = TypeVar("_Content")
_CHUNK_BYTES: Final = 64 * 1024


class ApiError(SourceError):
    """A call that was given up."""

    def __init__(self, reason: str, message: str, status: int | None = None, answer: object = None) -> None:
        super().__init__(reason, message)
        self.status = status
        """HTTP status of the answer; None where there was none."""
        self.answer = answer
        """JSON of a refusal, which may quote anything: for telling refusals apart, not for logs."""


class _Failed(Exception):
    """One attempt that failed."""

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        status: int | None = None,
        transient: bool = False,
        wait: float = 0.0,
        answer: object = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.answer = answer
        self.status = status
        self.transient = transient
        self.wait_seconds = wait


@dataclass(slots=True)
class JsonApi(AbstractContextManager["JsonApi"]):
    """One API for one refresh; use as a context manager, which closes its connections."""

    base_url: str = field(repr=False)
    """Scheme, host and, where there is one, the path that all paths begin with."""
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    """Sent with each request, credentials among them; their values are kept out of every error."""
    name: str
    """What errors call it: `OpenAI`."""
    config_key: str
    """Key of the configuration that errors name: `llm.openai.admin_key_file`."""
    tally: RefreshTally
    backoff: Backoff
    timeout_seconds: float = REQUEST_SECONDS
    """For one attempt, from looking up the name to the last byte."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """For a Retry-After that is a date."""
    largest_answer_bytes: int = LARGEST_ANSWER_BYTES
    advice: Mapping[int, str] = field(default_factory=dict)
    """What to do about a status, where more is known than this file says."""
    answer_headers: Mapping[str, str] = field(default_factory=dict, init=False, repr=False)
    """Headers of the last answer that was not refused, their names in any case."""
    _session: requests.Session = field(
        default_factory=lambda: cuttable(requests.Session()), init=False, repr=False
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
        self._session.close()

    def get(self, path: str, params: Params | None = None) -> dict[str, object]:
        """Return the JSON object at `path`, which begins with a slash. Raises ApiError.

        Broken connections, 408, 429 and 5xx are tried again as the back-off allows, not before a Retry-After.
        """
        return self._get(path, params or {}, self._object)

    def get_text(self, path: str) -> str:
        """Return the UTF-8 text at `path`, such as metrics, as `get` does."""
        return self._get(path, {}, lambda body: body.decode("utf-8", "replace"))

    def _get(self, path: str, params: Params, content: Callable[[bytes], _Content]) -> _Content:
        headers = dict(self.headers())
        secrets = secrets_in(headers)
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                detail = (
                    f"the header {name} cannot be sent: its value holds a line break or other odd character"
                )
                raise ApiError("bad_credentials", f"{self._where(path)}: {detail}; check {self.config_key}")
        try:
            return self.backoff.call(
                lambda: content(self._answer(path, params, headers)),
                (_Failed,),
                lambda error: isinstance(error, _Failed) and error.transient,
                lambda error: error.wait_seconds if isinstance(error, _Failed) else 0.0,
            )
        except _Failed as error:
            detail = without_secrets(secrets, str(error))
            # What was raised on the way may quote the server, and the server the key.
            raise ApiError(
                error.reason, f"{self._where(path)}: {detail}", error.status, error.answer
            ) from None

    def _answer(self, path: str, params: Params, headers: Mapping[str, str]) -> bytes:
        self.tally.requests += 1
        seconds = self.backoff.limited(self.timeout_seconds)
        try:
            return within(seconds, lambda: self._attempt(path, params, headers, seconds), self._session)
        except requests.exceptions.Timeout:
            detail = f"no answer within {seconds:.3g} s; it is tried again at the next refresh"
            raise _Failed("timeout", detail, transient=True) from None

    def _attempt(self, path: str, params: Params, headers: Mapping[str, str], seconds: float) -> bytes:
        try:
            with self._session.get(
                self.base_url.rstrip("/") + path,
                params=params,
                # As `auth`, so that no ~/.netrc puts other credentials in their place.
                auth=HeaderAuth({"User-Agent": USER_AGENT, "Accept": "application/json", **headers}),
                timeout=seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise self._refused(response)
                self.answer_headers = response.headers
                return self._body(response)
        except requests.exceptions.Timeout:
            raise
        except requests.exceptions.SSLError as error:
            detail = f"no secure connection to {self._host} ({cause_of(error)}); check its certificate"
            raise _Failed("unavailable", detail) from None
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            failed = f"the connection to {self._host} failed ({cause_of(error)})"
            detail = f"{failed}; check the network and the address"
            raise _Failed("unavailable", detail, transient=True) from None
        except requests.exceptions.ContentDecodingError:
            raise _Failed("bad_response", "the answer is compressed in a way that cannot be read") from None
        except (requests.exceptions.RequestException, UnicodeError) as error:
            detail = f"the request cannot be made ({type(error).__name__}); check the address {self._host}"
            raise _Failed("bad_url", detail) from None

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > self.largest_answer_bytes:
                detail = f"the answer is larger than {self.largest_answer_bytes:,} bytes and was not read"
                raise _Failed("bad_response", detail)
        return bytes(body)

    def _object(self, body: bytes) -> dict[str, object]:
        try:
            found = _parsed(body)
        except (ValueError, InvalidOperation, RecursionError):
            page = " but a web page" if body.lstrip()[:1] == b"<" else ""
            raise _Failed("bad_response", f"the answer is not JSON{page}; {self._check_address()}") from None
        if not isinstance(found, dict):
            raise _Failed("bad_response", f"the answer is not a JSON object; {self._check_address()}")
        return found

    def _refused(self, response: requests.Response) -> _Failed:
        status = response.status_code
        answer = self._json_of(response)
        said = words_of(answer)
        again = "it is tried again at the next refresh"
        if 300 <= status < 400:
            target = shown_line(_host(response.headers.get("Location", ""))) or "another page"
            detail = f"it redirects to {target}, which is not followed with the key; {self._check_address()}"
            return _Failed("bad_response", detail, status=status)
        if status in (429, 503, 408) or status >= 500:
            wait = retry_after_seconds(response.headers.get("Retry-After", ""), self.now())
            waiting = f", wait {wait:.0f} s" if wait else ""
            reason = "rate_limited" if status == 429 else "unavailable"
            what = "too many requests" if status == 429 else f"HTTP {status}"
            return _Failed(
                reason, f"{what}{waiting}{said}; {again}", status=status, transient=True, wait=wait
            )
        reason, usual = _REFUSALS.get(status, ("bad_request", "please report this"))
        advice = self.advice.get(status) or usual.format(config_key=self.config_key)
        return _Failed(reason, f"HTTP {status}{said}; {advice}", status=status, answer=answer)

    def _json_of(self, response: requests.Response) -> object:
        """Return the JSON of an error, or None where it is none."""
        try:
            return _parsed(self._body(response))
        except (_Failed, ValueError, InvalidOperation, RecursionError, requests.exceptions.RequestException):
            return None

    def _check_address(self) -> str:
        return f"check that {self._host} is the API itself and no proxy or login page in front of it"

    def _where(self, path: str) -> str:
        return f"{self.name}: reading {path} failed"

    @property
    def _host(self) -> str:
        """Host and port, without any user and password that the address holds."""
        return _host(self.base_url) or "(no host)"


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


_REFUSALS: Final = {
    401: ("unauthorized", "the key is not accepted: check {config_key}"),
    403: ("permission_denied", "the key may not read this: check the rights of the key in {config_key}"),
    404: (
        "not_found",
        "there is no such page: check the address of the API, and what {config_key} gives access to",
    ),
}


def retry_after_seconds(value: str, now: datetime) -> float:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; 0 where it asks for none."""
    text = value.strip()
    if text.replace(".", "", 1).isdigit() and text.isascii():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    # A date in UTC may be written without its zone.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _parsed(body: bytes) -> object:
    found: object = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
