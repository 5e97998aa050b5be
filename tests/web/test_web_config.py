import base64
import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import bcrypt
import pytest

from exporter.config.problems import ConfigError
from exporter.web.server import Server
from exporter.web.tls import TLS12_CIPHER_SUITES, TLS13_CIPHER_SUITES
from exporter.web.web_config import WebConfig, load_web_config
from tests.support.certificates import Authority, Pair
from tests.support.exposed import DEADLINE_SECONDS
from tests.support.programs import needs
from tests.support.served import Answer, large_snapshot, request, snapshot

LOOPBACK = ("127.0.0.1", 0)
HASH = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
"""Of one salt, since tests are named by it."""
CLIENT_CERTS = "client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.sign("server", ["localhost", "127.0.0.1"])


def load(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    return load_web_config(path)


def load_tls(folder: Path, more: str = "") -> WebConfig:
    return load(folder, f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {more}}}")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return [str(problem) for problem in caught.value.problems]


def client(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


def credentials(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def scrape(
    config: WebConfig, context: ssl.SSLContext | None, headers: dict[str, str] | None = None
) -> Answer:
    with Server(LOOPBACK, snapshot, config) as server:
        return request(server, "/metrics", headers, context=context)


def test_an_empty_file_means_plain_http_without_users(tmp_path: Path) -> None:
    assert load(tmp_path, "") == WebConfig()
    assert load(tmp_path, "tls_server_config: {}\nhttp_server_config:\nbasic_auth_users:\n") == WebConfig()


def test_tls_serves_with_paths_relative_to_the_file(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    config = load_tls(tmp_path)
    with Server(LOOPBACK, snapshot, config) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert request(server, "/metrics", context=client(authority)).status == 200
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            request(server, "/metrics")


def test_a_client_that_does_not_trust_the_authority_gets_nothing(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        scrape(load_tls(tmp_path), ssl.create_default_context())


def test_client_certificates_are_demanded_and_verified(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    config = load_tls(tmp_path, CLIENT_CERTS)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    stranger = Authority(strangers).sign("stranger")
    assert scrape(config, client(authority, authority.sign("prometheus"))).status == 200
    for unwelcome in (client(authority), client(authority, stranger)):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            scrape(config, unwelcome)


def test_client_certificates_may_be_optional_and_are_verified_if_given(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    config = load_tls(tmp_path, "client_ca_file: ca.crt, client_auth_type: VerifyClientCertIfGiven")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    assert scrape(config, client(authority)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        scrape(config, client(authority, Authority(strangers).sign("stranger")))


@pytest.mark.parametrize(
    ("sans", "status"),
    [
        (["prometheus.example.com", "other.example.com"], 200),
        (["10.1.2.3"], 200),
        (["fd00::1"], 200),
        (["spiffe://example.com/prometheus"], 200),
        (["grafana.example.com"], 403),
        ([], 403),
    ],
)
def test_a_client_certificate_needs_an_allowed_name(
    tmp_path: Path, authority: Authority, pair: Pair, sans: list[str], status: int
) -> None:
    allowed = "[prometheus.example.com, 10.1.2.3, 'fd00:0:0::0001', 'spiffe://example.com/prometheus']"
    config = load_tls(tmp_path, f"{CLIENT_CERTS}, client_allowed_sans: {allowed}")
    answer = scrape(config, client(authority, authority.sign("client", sans)))
    assert answer.status == status
    assert (b"cost_usd" in answer.body) == (status == 200)


def negotiated(config: WebConfig, context: ssl.SSLContext) -> tuple[str | None, str]:
    """Version and cipher suite that client and server agree on."""
    with (
        Server(LOOPBACK, snapshot, config) as server,
        socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        cipher = connection.cipher()
        assert cipher is not None
        return connection.version(), cipher[0]


def test_the_versions_of_tls_are_kept_to(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    assert negotiated(load_tls(tmp_path), client(authority))[0] == "TLSv1.3"
    assert negotiated(load_tls(tmp_path, "max_version: TLS12"), client(authority))[0] == "TLSv1.2"
    old = client(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        negotiated(load_tls(tmp_path, "min_version: TLS13"), old)


def test_cipher_suites_and_their_order_are_kept_to(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    suites = (
        "max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    )
    with_aes = client(authority)
    with_aes.set_ciphers(
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    )
    assert negotiated(load_tls(tmp_path, suites), with_aes)[1] == "ECDHE-ECDSA-CHACHA20-POLY1305"
    client_decides = f"{suites}, prefer_server_cipher_suites: false"
    assert negotiated(load_tls(tmp_path, client_decides), with_aes)[1] == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.slow
@pytest.mark.parametrize("curve", ["CurveP256", "CurveP384", "CurveP521", "X25519"])
def test_a_curve_is_kept_to(tmp_path: Path, authority: Authority, pair: Pair, curve: str) -> None:
    config = load_tls(tmp_path, f"curve_preferences: [{curve}]")
    names = {
        "CurveP256": "prime256v1",
        "CurveP384": "secp384r1",
        "CurveP521": "secp521r1",
        "X25519": "X25519",
    }
    for offered, name in names.items():
        context = client(authority)
        context.set_ecdh_curve(name)
        if offered == curve:
            assert negotiated(config, context)[0] == "TLSv1.3"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                negotiated(config, context)


def served_certificate(server: Server, authority: Authority, name: str) -> bytes:
    with (
        socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as plain,
        client(authority).wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_renewed_certificate_is_served_from_the_next_connection_on(
    tmp_path: Path, authority: Authority, pair: Pair, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with Server(LOOPBACK, snapshot, load_tls(tmp_path)) as server:
        first = served_certificate(server, authority, name)
        assert served_certificate(server, authority, name) == first
        authority.sign("server", ["localhost", "127.0.0.1"])
        second = served_certificate(server, authority, name)
        assert second != first
        pair.key.write_text("half a key", encoding="utf-8")
        assert served_certificate(server, authority, name) == second
        pair.key.unlink()
        assert served_certificate(server, authority, name) == second
        authority.sign("server", ["localhost", "127.0.0.1"])
        assert served_certificate(server, authority, name) not in (first, second)
    assert "the current certificates stay in use" in caplog.text


@pytest.mark.slow
def test_a_stop_finishes_a_running_response_over_tls(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current, load_tls(tmp_path))
    server.start()
    with contextlib.closing(
        http.client.HTTPSConnection(*server.address, timeout=DEADLINE_SECONDS, context=client(authority))
    ) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        stop = threading.Thread(target=server.stop)
        stop.start()
        assert response.read()[: len(current.exposition.text)] == current.exposition.text
    stop.join(DEADLINE_SECONDS)
    assert not stop.is_alive()


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/nowhere"])
def test_every_path_needs_a_user_when_there_are_users(tmp_path: Path, path: str) -> None:
    config = load(tmp_path, f"basic_auth_users: {{alice: {HASH}}}")
    with Server(LOOPBACK, snapshot, config) as server:
        for headers in ({}, credentials("alice", "wrong"), credentials("bob", "secret")):
            answer = request(server, path, headers)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
            assert b"cost_usd" not in answer.body
        assert request(server, path, credentials("alice", "secret")).status in (200, 404)


def test_users_and_client_certificates_work_together(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    text = f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {CLIENT_CERTS}}}\n"
    config = load(tmp_path, f"{text}basic_auth_users: {{alice: {HASH}}}")
    context = client(authority, authority.sign("prometheus"))
    assert scrape(config, context, credentials("alice", "secret")).status == 200
    assert scrape(config, context).status == 401


def test_headers_of_the_file_are_on_every_answer(tmp_path: Path) -> None:
    text = """
        http_server_config:
          http2: false
          headers:
            X-Frame-Options: deny
            Strict-Transport-Security: max-age=31536000
            Content-Security-Policy: default-src 'none'
            X-XSS-Protection: ""
        """
    with Server(LOOPBACK, snapshot, load(tmp_path, text)) as server:
        for path in ("/", "/metrics", "/nowhere"):
            headers = request(server, path).headers
            assert headers["X-Frame-Options"] == "deny"
            assert headers["Strict-Transport-Security"] == "max-age=31536000"
            assert headers["Content-Security-Policy"] == "default-src 'none'"
            assert "X-XSS-Protection" not in headers


@needs("promtool", "prometheus")
def test_a_file_that_uses_every_key_is_valid_for_prometheus_too(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    text = f"""
        tls_server_config:
          cert_file: server.crt
          key_file: server.key
          client_ca_file: ca.crt
          client_auth_type: RequireAndVerifyClientCert
          min_version: TLS12
          max_version: TLS13
          cipher_suites: [{", ".join((*TLS12_CIPHER_SUITES, *TLS13_CIPHER_SUITES))}]
          prefer_server_cipher_suites: true
          curve_preferences: [X25519]
        http_server_config:
          http2: false
          headers: {{X-Frame-Options: sameorigin, X-Content-Type-Options: nosniff, X-XSS-Protection: "0"}}
        basic_auth_users: {{alice: {HASH}}}
        """
    load(tmp_path, text)
    check = subprocess.run(
        ["promtool", "check", "web-config", tmp_path / "web.yml"],
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert check.returncode == 0, check.stderr


def test_no_hash_shows_in_a_repr(tmp_path: Path) -> None:
    config = load(tmp_path, f"basic_auth_users: {{alice: {HASH}}}")
    assert config.password_hashes == {"alice": HASH}
    assert HASH not in repr(config)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("tls_server_configs: {}", "tls_server_configs", "did you mean tls_server_config"),
        ("tls_server_config: {cert_files: a}", "tls_server_config.cert_files", "did you mean cert_file"),
        ("tls_server_config: {min_version: TLS12}", "tls_server_config.cert_file", "is missing"),
        ("tls_server_config: {min_version: TLS12}", "tls_server_config.key_file", "is missing"),
        ("tls_server_config: {min_version: TLS10}", "tls_server_config.min_version", "TLS12 or TLS13"),
        (
            "tls_server_config: {min_version: TLS13, max_version: TLS12}",
            "tls_server_config.min_version",
            "is above max_version",
        ),
        (
            "tls_server_config: {client_auth_type: RequireAnyClientCert}",
            "tls_server_config.client_auth_type",
            "RequireAndVerifyClientCert",
        ),
        (
            "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}",
            "tls_server_config.client_auth_type",
            "client_ca_file: ca.crt",
        ),
        (
            "tls_server_config: {client_ca_file: ca.crt}",
            "tls_server_config.client_ca_file",
            "has no effect without",
        ),
        (
            "tls_server_config: {client_allowed_sans: [a.example.com]}",
            "tls_server_config.client_allowed_sans",
            "RequireAndVerifyClientCert",
        ),
        (
            "tls_server_config: {cipher_suites: [RC4]}",
            "tls_server_config.cipher_suites[0]",
            "not a safe cipher suite",
        ),
        (
            "tls_server_config: {cipher_suites: [TLS_AES_128_GCM_SHA256]}",
            "tls_server_config.cipher_suites",
            "min_version: TLS13",
        ),
        ("tls_server_config: {curve_preferences: [P-1]}", "tls_server_config.curve_preferences[0]", "X25519"),
        (
            "tls_server_config: {curve_preferences: [X25519, CurveP256]}",
            "tls_server_config.curve_preferences",
            "a list with one of",
        ),
        ("tls_server_config: {key: PRIVATE}", "tls_server_config.key", "key_file: server.key"),
        ("tls_server_config: {cert: PEM}", "tls_server_config.cert", "cert_file: server.crt"),
        ("tls_server_config: {client_ca: PEM}", "tls_server_config.client_ca", "client_ca_file: ca.crt"),
        ("http_server_config: {http2: true}", "http_server_config.http2", "HTTP/1.1"),
        (
            "http_server_config: {headers: {X-Other: a}}",
            "http_server_config.headers.X-Other",
            "cannot be set",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers.X-Frame-Options",
            "deny",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "a\\r\\nSet-Cookie: b"}}',
            "http_server_config.headers.X-XSS-Protection",
            "on one line",
        ),
        ("basic_auth_users: {alice: plaintext}", "basic_auth_users.alice", "a bcrypt hash"),
        ("basic_auth_users: {alice: 12345}", "basic_auth_users.alice", "a bcrypt hash"),
        ("basic_auth_users: {alice: $2y$31$" + "x" * 53 + "}", "basic_auth_users.alice", "cost 4 to 18"),
        (f"basic_auth_users: {{'a:b': {HASH}}}", "basic_auth_users['a:b']", "colon"),
        (f"basic_auth_users: {{alice: {HASH}, alice: {HASH}}}", "basic_auth_users.alice", "is given twice"),
        ("rate_limit: {interval: 1s, burst: 20}", "rate_limit", "leave it out"),
        ("[]", "", "expected"),
        ("a: [", "", "is not YAML"),
    ],
)
def test_a_problem_is_reported_with_its_key_and_what_would_be_good(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    reported = problems(tmp_path, text)
    assert any(problem.startswith(key) and words in problem for problem in reported), reported


def test_every_problem_is_reported_at_once_and_no_secret_with_it(tmp_path: Path) -> None:
    text = """
        tls_server_config: {cert_file: server.crt, key: PRIVATE, min_version: SSL3, cipher: x}
        http_server_config: {http2: yes}
        basic_auth_users: {alice: hunter2, bob: 424242}
        rate_limit: {}
        """
    reported = problems(tmp_path, text)
    assert [problem.split(" ")[0] for problem in reported] == [
        "tls_server_config.min_version",
        "tls_server_config.key",
        "tls_server_config.cipher",
        "http_server_config.http2",
        "basic_auth_users.alice",
        "basic_auth_users.bob",
        "rate_limit",
    ]
    assert not any(secret in "\n".join(reported) for secret in ("PRIVATE", "hunter2", "424242"))


def test_a_file_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml: 1 problem\n  cannot be read"):
        load_web_config(tmp_path / "web.yml")
    (tmp_path / "web.yml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_web_config(tmp_path / "web.yml")


def test_files_that_tls_cannot_use_are_reported(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    def reported(more: str = "") -> str:
        with pytest.raises(ConfigError) as caught:
            load_tls(tmp_path, more)
        [problem] = caught.value.problems
        return str(problem)

    authority.sign("other")
    key = pair.key.read_bytes()
    pair.key.write_bytes((tmp_path / "other.key").read_bytes())
    assert "tls_server_config.key_file (line 1): " in reported()
    assert "is not the key of the certificate" in reported()
    authority.sign("server", password=b"password")
    assert "is encrypted; use a key without a password" in reported()
    pair.key.write_text("no key", encoding="utf-8")
    assert "are not a PEM certificate and its PEM key" in reported()
    pair.key.unlink()
    assert "cannot be read (No such file or directory)" in reported()
    assert key not in reported().encode()


def test_an_authority_that_is_no_certificate_is_reported(
    tmp_path: Path, authority: Authority, pair: Pair
) -> None:
    (tmp_path / "ca.crt").write_text("no certificate", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"client_ca_file .*holds no usable PEM certificate"):
        load_tls(tmp_path, CLIENT_CERTS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_without_permission_is_reported(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    pair.key.chmod(0)
    with pytest.raises(ConfigError, match=r"key_file .*cannot be read \(Permission denied\)"):
        load_tls(tmp_path)


@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
def test_a_changed_authority_verifies_clients_from_the_next_connection_on(
    tmp_path: Path, authority: Authority, pair: Pair, version: str
) -> None:
    config = load_tls(tmp_path, f"{CLIENT_CERTS}, min_version: {version}, max_version: {version}")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    later = Authority(strangers)
    old, new = (client(authority, each.sign("prometheus")) for each in (authority, later))

    def resumed(server: Server, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession:
        with (
            socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
        ):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert connection.session is not None
            return connection.session

    with Server(LOOPBACK, snapshot, config) as server:
        session = resumed(server, old, None)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            request(server, "/metrics", context=new)
        authority.certificate.write_bytes(later.certificate.read_bytes())
        assert request(server, "/metrics", context=new).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            request(server, "/metrics", context=old)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            resumed(server, old, session)
