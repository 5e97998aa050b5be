"""Certificates that cannot be used are noticed, with what is wrong, until they can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.web.certificate_watch import CertificateWatch
from exporter.web.tls import TlsSettings
from tests.support.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.sign("server", ["localhost"])


@pytest.fixture
def watch(pair: Pair) -> CertificateWatch:
    return CertificateWatch(TlsSettings(cert_file=pair.cert, key_file=pair.key))


def looked_twice(watch: CertificateWatch) -> bool:
    """Look until what has changed counts as settled."""
    return watch.look() or watch.look()


def test_a_renewed_pair_is_no_problem(watch: CertificateWatch, authority: Authority) -> None:
    authority.sign("server", ["localhost"])
    assert not looked_twice(watch)
    assert watch.problem == ""


@pytest.mark.parametrize("broken", ["cert", "key"])
def test_a_broken_file_is_a_problem_until_it_is_mended(
    watch: CertificateWatch, authority: Authority, pair: Pair, broken: str
) -> None:
    getattr(pair, broken).write_text("half a file", encoding="utf-8")
    assert looked_twice(watch)
    assert "are not a PEM certificate and its PEM key" in watch.problem
    assert not looked_twice(watch)
    authority.sign("server", ["localhost"])
    assert looked_twice(watch)
    assert watch.problem == ""


def test_the_key_of_another_certificate_is_a_problem(
    watch: CertificateWatch, authority: Authority, pair: Pair
) -> None:
    pair.key.write_bytes(authority.sign("other").key.read_bytes())
    assert looked_twice(watch)
    assert watch.problem.startswith("tls_server_config.key_file: ")
    assert "is not the key of the certificate in" in watch.problem


def test_a_file_that_is_gone_is_a_problem(watch: CertificateWatch, pair: Pair) -> None:
    pair.cert.unlink()
    assert looked_twice(watch)
    assert "cannot be read" in watch.problem


def test_a_pair_of_which_one_half_is_new_already_is_looked_at_once_more(
    watch: CertificateWatch, authority: Authority, pair: Pair
) -> None:
    before = pair.cert.read_bytes()
    authority.sign("server", ["localhost"])
    after = pair.cert.read_bytes()
    pair.cert.write_bytes(before)
    assert not watch.look()
    pair.cert.write_bytes(after)
    assert not looked_twice(watch)
    assert watch.problem == ""


def test_the_right_to_read_a_file_is_noticed_though_the_file_is_the_same(
    watch: CertificateWatch, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.key.chmod(0o000)
    with monkeypatch.context() as forbidden:
        # Root may read everything.
        forbidden.setattr(Path, "read_bytes", _refuse)
        assert looked_twice(watch)
    assert "Permission denied" in watch.problem
    pair.key.chmod(0o600)
    assert looked_twice(watch)
    assert watch.problem == ""


def _refuse(_path: Path) -> bytes:
    raise PermissionError(13, "Permission denied")
