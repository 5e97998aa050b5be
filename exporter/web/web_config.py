"""The web configuration file that Prometheus exporters share: TLS, client certificates, users, headers.

Format: prometheus/exporter-toolkit, docs/web-configuration.md. Settings that cannot work here are refused.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, StrictBool, StrictStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.config.problems import (
    EXPLAINED,
    ConfigError,
    Problem,
    Section,
    explained,
    key_text,
    problems_of,
)
from exporter.config.types import ReadPath
from exporter.config.yaml import NotYaml, read
from exporter.web.tls import (
    CURVES,
    TLS12_CIPHER_SUITES,
    TLS13_CIPHER_SUITES,
    TlsError,
    TlsSettings,
    canonical_name,
    server_context,
)

_HEADER_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
"""The headers that the file may set, with the allowed values of those that have a fixed list."""

_BCRYPT_HASH: Final = re.compile(r"\$2[abxy]\$(0[4-9]|1[0-8])\$[./A-Za-z0-9]{53}")
"""Up to cost 18, at which one check already takes many seconds."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How the server is reached: by default plain HTTP without users."""

    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    tls: TlsSettings | None = None
    """What `ssl_context` was made from."""
    client_allowed_sans: frozenset[str] = frozenset()
    """If not empty: a client's certificate must have one of these names (IP addresses canonical)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Set on every response."""
    password_hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """bcrypt hash by user name; if not empty, requests need basic authentication."""

    @property
    def requires_client_certificate(self) -> bool:
        """Whether nobody gets in without a certificate."""
        return self.tls is not None and self.tls.client_auth_type == "RequireAndVerifyClientCert"


def load_web_config(path: Path) -> WebConfig:
    """Read a web configuration file; its paths are relative to its folder. Raises ConfigError."""
    place = f"web configuration {path}"
    try:
        document = read(path.read_text(encoding="utf-8"))
    except OSError as error:
        text = f"cannot be read ({error.strerror}); name a readable YAML file"
        raise ConfigError(place, [Problem("", None, text)]) from None
    except UnicodeDecodeError as error:
        text = f"byte {error.start} is not UTF-8 text; save the file as UTF-8"
        raise ConfigError(place, [Problem("", None, text)]) from None
    except NotYaml as error:
        raise ConfigError(place, [Problem("", None, f"is not YAML: {error}")]) from None
    problems = [Problem(key_text(fault.path), fault.line, fault.text) for fault in document.faults]
    parsed = None
    try:
        value = {} if document.value is None else document.value
        parsed = _WebFile.model_validate(value, context={"base": path.parent.absolute()})
    except ValidationError as error:
        problems += problems_of(error, _WebFile, document.lines)
    if parsed is None or problems:
        raise ConfigError(place, sorted(problems, key=lambda problem: problem.line or 0))
    try:
        return _web_config(parsed)
    except TlsError as error:
        key = ("tls_server_config", error.key)
        problem = Problem(key_text(key), document.lines.get(key), str(error))
        raise ConfigError(place, [problem]) from None


def _refused(text: str) -> BeforeValidator:
    def refuse(_value: object) -> None:
        raise PydanticCustomError(EXPLAINED, text)

    return BeforeValidator(refuse)


def _password_hash(value: object) -> object:
    if not isinstance(value, str) or not _BCRYPT_HASH.fullmatch(value):
        text = "expected a bcrypt hash of cost 4 to 18, as htpasswd -nBC 10 '' gives; the value is not shown"
        raise PydanticCustomError(EXPLAINED, text)
    return value


def _file(description: str, example: str) -> Any:
    return Field(description=description, examples=[example])


class _Tls(Section):
    """`tls_server_config`."""

    cert_file: Annotated[ReadPath | None, _file("the path of a PEM certificate", "server.crt")] = None
    key_file: Annotated[ReadPath | None, _file("the path of a PEM key", "server.key")] = None
    client_ca_file: Annotated[ReadPath | None, _file("the path of a PEM certificate", "ca.crt")] = None
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        Field(
            description="NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert (to ask for "
            "certificates without verifying them is not supported)",
            examples=["RequireAndVerifyClientCert"],
        ),
    ] = "NoClientCert"
    client_allowed_sans: Annotated[
        tuple[StrictStr, ...], Field(description="a list of names", examples=[["prometheus.example.com"]])
    ] = ()
    min_version: Annotated[
        Literal["TLS12", "TLS13"],
        Field(description="TLS12 or TLS13 (older versions are refused)", examples=["TLS12"]),
    ] = "TLS12"
    max_version: Annotated[
        Literal["TLS12", "TLS13"],
        Field(description="TLS12 or TLS13 (older versions are refused)", examples=["TLS13"]),
    ] = "TLS13"
    cipher_suites: Annotated[
        tuple[StrictStr, ...],
        Field(
            description="a list of cipher suites by their names in Go",
            examples=[["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]],
        ),
    ] = ()
    prefer_server_cipher_suites: Annotated[
        StrictBool, Field(description="true or false", examples=[True])
    ] = True
    curve_preferences: Annotated[
        tuple[Literal["CurveP256", "CurveP384", "CurveP521", "X25519"], ...],
        Field(
            max_length=1,
            description=f"a list with one of {', '.join(CURVES)} (an order of several is not supported)",
            examples=[["X25519"]],
        ),
    ] = ()
    cert: Annotated[None, _refused("not supported: put the certificate in a file, cert_file: server.crt")] = (
        None
    )
    key: Annotated[None, _refused("not supported: put the key in a file, key_file: server.key")] = None
    client_ca: Annotated[
        None, _refused("not supported: put the certificate in a file, client_ca_file: ca.crt")
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        for key, example in (("cert_file", "server.crt"), ("key_file", "server.key")):
            if data and data.get(key) is None and key.removesuffix("_file") not in data:
                yield explained((key,), f"is missing, and TLS needs it, for example {key}: {example}")
        auth = data.get("client_auth_type", "NoClientCert")
        if data.get("client_ca_file") is not None and auth == "NoClientCert":
            yield explained(
                ("client_ca_file",),
                "has no effect without client_auth_type; add client_auth_type: RequireAndVerifyClientCert",
            )
        if data.get("client_ca_file") is None and auth in (
            "VerifyClientCertIfGiven",
            "RequireAndVerifyClientCert",
        ):
            yield explained(
                ("client_auth_type",),
                "needs the authority that signed the certificates, for example client_ca_file: ca.crt",
            )
        if data.get("client_allowed_sans") and auth != "RequireAndVerifyClientCert":
            yield explained(
                ("client_allowed_sans",),
                "lets clients without a certificate in; add client_auth_type: RequireAndVerifyClientCert",
            )
        if (data.get("min_version"), data.get("max_version")) == ("TLS13", "TLS12"):
            yield explained(("min_version",), "is above max_version, for example min_version: TLS12")
        yield from cls._broken_cipher_rules(data)

    @classmethod
    def _broken_cipher_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        suites = data.get("cipher_suites")
        if not isinstance(suites, list) or not suites:
            return
        for index, suite in enumerate(suites):
            if isinstance(suite, str) and suite not in (*TLS12_CIPHER_SUITES, *TLS13_CIPHER_SUITES):
                known = ", ".join((*TLS12_CIPHER_SUITES, *TLS13_CIPHER_SUITES))
                yield explained(("cipher_suites", index), f"is not a safe cipher suite; known: {known}")
        if all(suite in TLS13_CIPHER_SUITES for suite in suites) and data.get("min_version") != "TLS13":
            yield explained(
                ("cipher_suites",), "names only suites of TLS 1.3; add min_version: TLS13 to enforce them"
            )


class _Http(Section):
    """`http_server_config`."""

    http2: Annotated[
        Literal[False],
        Field(description="false, or leave it out (this server speaks HTTP/1.1)", examples=[False]),
    ] = False
    headers: Annotated[
        Mapping[StrictStr, StrictStr],
        Field(description="headers with their values", examples=[{"X-Frame-Options": "deny"}]),
    ] = {}

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        headers = data.get("headers")
        for name, value in headers.items() if isinstance(headers, Mapping) else ():
            if name not in _HEADER_VALUES:
                yield explained(("headers", name), f"cannot be set; known: {', '.join(_HEADER_VALUES)}")
            elif isinstance(value, str):
                allowed = _HEADER_VALUES[name]
                if value and allowed and value not in allowed:
                    yield explained(("headers", name), f"expected {' or '.join(allowed)}")
                elif not value.isprintable() or not value.isascii():
                    yield explained(("headers", name), "expected printable ASCII on one line")


class _WebFile(Section):
    """The whole file."""

    tls_server_config: Annotated[
        _Tls | None,
        Field(description="a section", examples=[{"cert_file": "server.crt", "key_file": "server.key"}]),
    ] = None
    http_server_config: Annotated[
        _Http | None, Field(description="a section", examples=[{"headers": {"X-Frame-Options": "deny"}}])
    ] = None
    basic_auth_users: Annotated[
        Mapping[StrictStr, Annotated[SecretStr, BeforeValidator(_password_hash)]] | None,
        Field(description="user names, each with a bcrypt hash", examples=[{"prometheus": "$2y$10$…"}]),
    ] = None
    rate_limit: Annotated[
        None, _refused("not supported: concurrent scrapes always have a limit; leave it out")
    ] = None

    @classmethod
    def _broken_rules(cls, data: Mapping[str, object]) -> Iterator[InitErrorDetails]:
        users = data.get("basic_auth_users")
        for name in users if isinstance(users, Mapping) else ():
            if ":" in str(name):
                yield explained(("basic_auth_users", name), "a user name cannot contain a colon")


def _web_config(parsed: _WebFile) -> WebConfig:
    tls, http = parsed.tls_server_config, parsed.http_server_config
    context = settings = None
    if tls is not None and tls.cert_file is not None and tls.key_file is not None:
        settings = TlsSettings(
            cert_file=tls.cert_file,
            key_file=tls.key_file,
            client_ca_file=tls.client_ca_file,
            client_auth_type=tls.client_auth_type,
            min_version=tls.min_version,
            max_version=tls.max_version,
            cipher_suites=tls.cipher_suites,
            prefer_server_cipher_suites=tls.prefer_server_cipher_suites,
            curve=tls.curve_preferences[0] if tls.curve_preferences else "",
        )
        context = server_context(settings)
    hashes = parsed.basic_auth_users or {}
    return WebConfig(
        ssl_context=context,
        tls=settings,
        client_allowed_sans=frozenset(map(canonical_name, tls.client_allowed_sans)) if tls else frozenset(),
        headers={name: value for name, value in http.headers.items() if value} if http else {},
        password_hashes={name: secret.get_secret_value() for name, secret in hashes.items()},
    )
