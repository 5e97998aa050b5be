"""The cases by which Prometheus' exporters test this file: exporter-toolkit, web/tls_config_test.go.

Each behaves the same here, or is in the second table, with the difference that docs/operations.md explains.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from exporter.config.problems import ConfigError
from exporter.web.server import Server
from exporter.web.web_config import load_web_config
from tests.support import places
from tests.support.certificates import Authority
from tests.support.served import request, snapshot

LOOPBACK = ("127.0.0.1", 0)
PAIR = "cert_file: server.crt, key_file: server.key"
TLS = f"tls_server_config: {{{PAIR}}}"
HASH = bcrypt.hashpw(b"dave123", b"$2b$04$abcdefghijklmnopqrstuu").decode()
USERS = f"basic_auth_users: {{dave: {HASH}}}"
REFUSED = "refused"
"""By the start, with the key named."""
FAILS = "fails"
"""No answer: the handshake fails, or the protocol is another."""
VERIFIED = "client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"


def plain(_: Authority) -> None:
    return None


def tls(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


def tls_1_1(authority: Authority) -> ssl.SSLContext:
    context = tls(authority)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def with_ciphers(names: str) -> Callable[[Authority], ssl.SSLContext]:
    def make(authority: Authority) -> ssl.SSLContext:
        context = tls(authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(names)
        return context

    return make


def with_curve(name: str) -> Callable[[Authority], ssl.SSLContext]:
    def make(authority: Authority) -> ssl.SSLContext:
        context = tls(authority)
        context.set_ecdh_curve(name)
        return context

    return make


def with_certificate(*sans: str) -> Callable[[Authority], ssl.SSLContext]:
    def make(authority: Authority) -> ssl.SSLContext:
        pair = authority.sign("client", sans)
        context = tls(authority)
        context.load_cert_chain(pair.cert, pair.key)
        return context

    return make


def outcome(
    folder: Path, text: str | None, client: Callable[[Authority], ssl.SSLContext | None], login: str
) -> int | str:
    """Status of /metrics, or how there is none."""
    authority = Authority(folder)
    authority.sign("server", ["localhost", "127.0.0.1"])
    if text is not None:
        (folder / "web.yml").write_text(text, encoding="utf-8")
    try:
        config = load_web_config(folder / "web.yml")
    except ConfigError:
        return REFUSED
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
    context = client(authority)
    with Server(LOOPBACK, snapshot, config) as server:
        try:
            return request(server, "/metrics", headers, context=context).status
        except (OSError, http.client.HTTPException):
            return FAILS


CIPHER = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize(
    ("text", "client", "login", "expected"),
    [
        pytest.param(None, plain, "", REFUSED, id="path of the file does not exist"),
        pytest.param("", plain, "", 200, id="empty file"),
        pytest.param("junk", plain, "", REFUSED, id="invalid structure"),
        pytest.param("junk: {}", plain, "", REFUSED, id="invalid key"),
        pytest.param(TLS.replace("server.crt", '""'), plain, "", REFUSED, id="empty path of the certificate"),
        pytest.param(TLS.replace("server.key", '""'), plain, "", REFUSED, id="empty path of the key"),
        pytest.param("tls_server_config: {min_version: TLS12}", plain, "", REFUSED, id="neither path"),
        pytest.param(TLS.replace("server.crt", "no"), plain, "", REFUSED, id="certificate does not exist"),
        pytest.param(TLS.replace("server.key", "no"), plain, "", REFUSED, id="key does not exist"),
        pytest.param(TLS.replace("server.", "no."), plain, "", REFUSED, id="neither exists"),
        pytest.param(TLS.replace("}", ", client_ca_file: ca.crt}"), plain, "", REFUSED, id="no policy"),
        pytest.param(
            TLS.replace("}", f", {VERIFIED}}}").replace("ca.crt", "no"), plain, "", REFUSED, id="no such CA"
        ),
        pytest.param("basic_auth_users: {dave: dave123}", plain, "", REFUSED, id="password that is no hash"),
        pytest.param(TLS.replace("}", ", cipher_suites: [TLS_X]}"), plain, "", REFUSED, id="unknown cipher"),
        pytest.param(TLS.replace("}", ", curve_preferences: [C]}"), plain, "", REFUSED, id="unknown curve"),
        pytest.param(TLS.replace("}", ", min_version: TLS111}"), plain, "", REFUSED, id="unknown version"),
        pytest.param("", tls, "", FAILS, id="TLS client of a plain server"),
        pytest.param(TLS, plain, "", FAILS, id="plain client of a TLS server"),
        pytest.param(TLS, tls, "", 200, id="TLS client of a TLS server"),
        pytest.param(
            TLS,
            tls_1_1,
            "",
            FAILS,
            id="client of TLS 1.1",
            marks=pytest.mark.filterwarnings("ignore::DeprecationWarning"),
        ),
        pytest.param(
            TLS.replace("}", f", cipher_suites: [{CIPHER}]}}"),
            with_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256"),
            "",
            200,
            id="a common cipher",
        ),
        pytest.param(
            TLS.replace("}", f", cipher_suites: [{CIPHER}]}}"),
            with_ciphers("ECDHE-ECDSA-AES256-SHA"),
            "",
            FAILS,
            id="no common cipher",
        ),
        pytest.param(
            TLS.replace("}", f", cipher_suites: [{CIPHER}], prefer_server_cipher_suites: false}}"),
            with_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"),
            "",
            200,
            id="several ciphers of the client, which chooses",
        ),
        pytest.param(
            TLS.replace("}", ", curve_preferences: [CurveP521]}"),
            with_curve("secp521r1"),
            "",
            200,
            id="a common curve",
        ),
        pytest.param(
            TLS.replace("}", ", curve_preferences: [CurveP521]}"),
            with_curve("secp384r1"),
            "",
            FAILS,
            id="no common curve",
        ),
        pytest.param(
            f"{TLS}\nhttp_server_config: {{http2: false}}", tls, "", 200, id="ciphers without HTTP/2"
        ),
        pytest.param("http_server_config: {headers: {X-Frame-Options: deny}}", plain, "", 200, id="headers"),
        pytest.param(
            "http_server_config: {headers: {X-Content-Type-Options: x}}", plain, "", REFUSED, id="bad header"
        ),
        pytest.param(
            "http_server_config: {headers: {X-Frame-Options: x}}", plain, "", REFUSED, id="bad frame options"
        ),
        pytest.param("http_server_config: {headers: {Server: x}}", plain, "", REFUSED, id="other header"),
        pytest.param(
            TLS.replace("}", f", {VERIFIED}}}"), with_certificate(), "", 200, id="verified certificate"
        ),
        pytest.param(
            TLS.replace("}", f", {VERIFIED}, client_allowed_sans: [good]}}"),
            with_certificate("good"),
            "",
            200,
            id="allowed name",
        ),
        pytest.param(TLS.replace("}", f", {VERIFIED}}}"), tls, "", FAILS, id="no certificate"),
        pytest.param(USERS, plain, "", 401, id="without a user"),
        pytest.param(USERS, plain, "dave:dave123", 200, id="right password"),
        pytest.param(USERS, plain, "dave:dave", 401, id="wrong password"),
        pytest.param(USERS, plain, "bob:dave123", 401, id="unknown user"),
    ],
)
def test_a_case_has_the_same_outcome(
    tmp_path: Path,
    text: str | None,
    client: Callable[[Authority], ssl.SSLContext | None],
    login: str,
    expected: int | str,
) -> None:
    assert outcome(tmp_path, text, client, login) == expected


@pytest.mark.parametrize(
    ("text", "client", "expected", "documented"),
    [
        pytest.param("tls_server_config: {cert: PEM, key: PEM}", tls, REFUSED, "`cert`, `key`", id="inline"),
        pytest.param(
            TLS.replace("}", ", client_auth_type: RequireAnyClientCert}"),
            with_certificate(),
            REFUSED,
            "`RequireAnyClientCert`",
            id="any certificate",
        ),
        pytest.param(
            TLS.replace("}", ", min_version: TLS10}"), tls, REFUSED, "`TLS10`, `TLS11`", id="old versions"
        ),
        pytest.param(
            TLS.replace("}", ", curve_preferences: [CurveP256, CurveP384]}"),
            tls,
            REFUSED,
            "several `curve_preferences`",
            id="all curves",
        ),
        pytest.param("http_server_config: {http2: true}", tls, REFUSED, "`http2: true`", id="HTTP/2"),
        pytest.param("rate_limit: {interval: 1s}", plain, REFUSED, "`rate_limit`", id="rate limit"),
        pytest.param(
            TLS.replace("}", f", {VERIFIED}, client_allowed_sans: [good]}}"),
            with_certificate("bad"),
            403,
            "`client_allowed_sans`",
            id="name that is not allowed",
        ),
    ],
)
def test_a_difference_is_explained(
    tmp_path: Path,
    text: str,
    client: Callable[[Authority], ssl.SSLContext | None],
    expected: int | str,
    documented: str,
) -> None:
    assert outcome(tmp_path, text, client, "") == expected
    page = (places.REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    assert documented in page.partition("## Listening")[2].partition("\n## ")[0]
