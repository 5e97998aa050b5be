"""TLS for the server: a context from checked settings, renewed certificates, client certificate names."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

CLIENT_AUTH_TYPES: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

TLS12_CIPHER_SUITES: Final = {
    f"TLS_ECDHE_{key}_WITH_{cipher}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for cipher, openssl in {
        "AES_128_CBC_SHA": "AES128-SHA",
        "AES_256_CBC_SHA": "AES256-SHA",
        "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
    }.items()
}
"""OpenSSL's names by the names that Go and IANA use."""

TLS13_CIPHER_SUITES: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""Always on with TLS 1.3, as in Go; naming them changes nothing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The settings of `tls_server_config`, with the names of the web configuration file."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth_type: str = "NoClientCert"
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve: str = ""
    """One of CURVES, or empty for OpenSSL's own choice."""


class TlsError(Exception):
    """A file that TLS needs cannot be used. The text gives the reason and what to do."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key
        """The setting that names the file."""


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context that uses a renewed certificate from the next connection on. Raises TlsError."""
    context = _context(settings)
    current = _Current(settings, context)
    context.sni_callback = current.put_into
    return context


def signature_on_disk(settings: TlsSettings) -> tuple[object, ...]:
    """Return what changes when a file of the settings does, or the right to read it."""
    files = (settings.cert_file, settings.key_file, settings.client_ca_file)
    try:
        stats = [path.stat() for path in files if path is not None]
    except OSError as error:
        return (error.errno,)
    return tuple((stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino) for stat in stats)


def client_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the subject alternative names of a verified certificate, as returned by `getpeercert`."""
    names: Iterable[tuple[str, str]] = (certificate or {}).get("subjectAltName", ())
    return frozenset(canonical_name(value) for _, value in names)


def canonical_name(name: str) -> str:
    """Return an IP address in its canonical spelling, any other name unchanged."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


class _Current:
    """A context with the certificates that are on disk now, also those that clients are verified by."""

    def __init__(self, settings: TlsSettings, context: ssl.SSLContext) -> None:
        self._settings = settings
        self._context = context
        self._signature = signature_on_disk(settings)

    def put_into(self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        """Give the connection the certificate on disk, before its handshake chooses one."""
        signature = signature_on_disk(self._settings)
        if signature != self._signature:
            self._signature = signature
            try:
                self._context = _context(self._settings)
            except TlsError as error:
                # Whoever watches the files reports it; a client that connects is no reason to.
                log.debug("%s: %s; the current certificates stay in use", error.key, error)
            else:
                log.info("now using the changed certificates of %s", self._settings.cert_file)
        connection.context = self._context


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version]
    ciphers = [
        TLS12_CIPHER_SUITES[name] for name in settings.cipher_suites if name not in TLS13_CIPHER_SUITES
    ]
    if ciphers:
        context.set_ciphers(":".join(ciphers))
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.curve:
        context.set_ecdh_curve(CURVES[settings.curve])
    _load_certificate(context, settings)
    if settings.client_ca_file is not None:
        _load_client_ca(context, settings.client_ca_file)
    context.verify_mode = CLIENT_AUTH_TYPES[settings.client_auth_type]
    if context.verify_mode is not ssl.CERT_NONE:
        # A resumed session would skip the verification, also after the authority has changed.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    for key, path in (("cert_file", settings.cert_file), ("key_file", settings.key_file)):
        _check_readable(key, path)
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password=_refuse_password)
    except _EncryptedKey:
        raise TlsError(
            "key_file", f"{settings.key_file} is encrypted; use a key without a password"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"{settings.key_file} is not the key of the certificate in {settings.cert_file}"
            raise TlsError("key_file", f"{text}; use a certificate and key that belong together") from None
        text = f"{settings.cert_file} and {settings.key_file} are not a PEM certificate and its PEM key"
        raise TlsError("cert_file", f"{text} ({error.reason or error})") from None


def _load_client_ca(context: ssl.SSLContext, path: Path) -> None:
    _check_readable("client_ca_file", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        text = f"{path} holds no usable PEM certificate ({error.reason or error})"
        raise TlsError("client_ca_file", f"{text}; use the certificate of the authority") from None


def _check_readable(key: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TlsError(key, f"{path} cannot be read ({error.strerror}); name a readable PEM file") from None


class _EncryptedKey(Exception):
    """The key is encrypted with a password, and a server has nobody to ask for it."""


def _refuse_password() -> str:
    raise _EncryptedKey
