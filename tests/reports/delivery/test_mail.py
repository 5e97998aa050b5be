"""Mails of reports, handed to a real server: what they contain, and how refusals are told."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.core.errors import SourceError
from exporter.core.secrets import secret_reader
from exporter.questions.report_answer import Report
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.mail import MailServer, mail_of
from tests.reports.delivery.smtp_server import PASSWORD, USER, MailHost, mail_host
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.question_world import many_charges
from tests.support.report_world import made

SENDER, TO = "Spending <spend@example.com>", ("Ann <ann@example.com>", "bob@example.com")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("ledger"), many_charges(3), month="2026-10")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secured(tmp_path: Path, authority: Authority) -> Iterator[MailHost]:
    pair = authority.sign("localhost", ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with mail_host(context) as host:
        yield host


def server(host: MailHost, authority: Authority, password: str = PASSWORD) -> MailServer:
    return MailServer(
        "localhost", host.port, "starttls", SENDER, TO, USER, lambda: password, authority.certificate
    )


def plain(port: int, to: tuple[str, ...] = TO) -> MailServer:
    return MailServer("127.0.0.1", port, "none", SENDER, to)


def failure(of: MailServer, report: Report) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        of.send("monthly", report)
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in repr(of)
    return caught.value


@pytest.mark.slow
def test_a_mail_arrives_encrypted_with_text_html_and_the_page(
    secured: MailHost, authority: Authority, report: Report
) -> None:
    server(secured, authority).send("monthly", report)
    [mail] = secured.received
    assert mail["Subject"].startswith("Spending in October 2026: $")
    assert (mail["From"], mail["Auto-Submitted"]) == (SENDER, "auto-generated")
    assert [each.addr_spec for each in mail["To"].addresses] == ["ann@example.com", "bob@example.com"]
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/html"]
    [page] = mail.iter_attachments()
    assert page.get_filename() == "spending-2026-10.html"
    assert page.get_content().endswith("</html>\n")
    assert "\N{REPLACEMENT CHARACTER}" not in page.get_content()
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "<style" not in html.get_content()


@pytest.mark.slow
def test_the_same_report_has_the_same_message_id_and_another_period_another(
    report: Report, tmp_path: Path
) -> None:
    again = mail_of("monthly", report, SENDER, TO)["Message-ID"]
    assert mail_of("monthly", report.model_copy(update={"total": "1"}), SENDER, TO)["Message-ID"] == again
    other = made(tmp_path, many_charges(3), month="2026-11")
    ids = {again, mail_of("monthly", other, SENDER, TO)["Message-ID"]}
    ids |= {
        mail_of("weekly", report, SENDER, TO)["Message-ID"],
        mail_of("monthly", report, SENDER, TO[:1])["Message-ID"],
    }
    assert len(ids) == 4
    assert all(each.endswith("@example.com>") for each in (again,))


@pytest.mark.slow
def test_a_wrong_password_is_told_without_it(secured: MailHost, authority: Authority, report: Report) -> None:
    found = failure(replace(server(secured, authority), password=lambda: "wr0ng"), report)
    assert "the user spend@example.com" in str(found)
    assert "check mail.username and the password" in str(found)
    assert "wr0ng" not in str(found)
    assert not found.transient
    assert secured.received == []


def test_check_logs_in_and_sends_nothing(secured: MailHost, authority: Authority) -> None:
    said = server(secured, authority).check()
    assert f"localhost:{secured.port} answers, TLS (STARTTLS), logged in as {USER}" in said
    assert secured.received == []


def test_check_tells_what_sending_would(secured: MailHost, authority: Authority) -> None:
    good = server(secured, authority)
    for broken, told in (
        (replace(good, password=lambda: "wr0ng"), "check mail.username and the password"),
        (replace(good, ca_file=None), "has no certificate that is trusted for localhost"),
        (replace(good, host="nowhere.invalid"), "check mail.host"),
    ):
        with pytest.raises(DeliveryError, match=re.escape(told)) as caught:
            broken.check()
        assert "wr0ng" not in str(caught.value)


def test_a_missing_password_is_told_with_its_key(
    secured: MailHost, authority: Authority, report: Report
) -> None:
    reader = secret_reader("reports[monthly].mail.password_file", Path("/nowhere/password"), None, {})
    with pytest.raises(SourceError, match=r"reports\[monthly\].mail.password_file: the key file /nowhere"):
        replace(server(secured, authority), password=reader).send("monthly", report)


def test_a_certificate_that_nobody_trusts_is_refused(
    secured: MailHost, authority: Authority, report: Report
) -> None:
    found = failure(replace(server(secured, authority), ca_file=None), report)
    assert "has no certificate that is trusted for localhost" in str(found)
    assert "mail.ca_file" in str(found)
    assert secured.received == []


def test_a_server_without_encryption_gets_nothing_where_it_is_wanted(report: Report) -> None:
    with mail_host() as host:
        found = failure(replace(plain(host.port), encryption="starttls"), report)
    assert "does not offer what is needed" in str(found)
    assert host.received == []


@pytest.mark.parametrize(("answer", "transient"), [("451 try later", True), ("554 looks like spam", False)])
def test_a_refusal_is_told_with_its_reason(report: Report, answer: str, transient: bool) -> None:
    with mail_host() as host:
        host.answers.append(answer)
        found = failure(plain(host.port), report)
    assert f"refused the report ({answer})" in str(found)
    assert found.transient is transient


def test_recipients_that_are_refused_are_named(report: Report) -> None:
    with mail_host() as host:
        host.unknown.add("bob@example.com")
        assert "not for bob@example.com (550 no such user)" in str(failure(plain(host.port), report))
        assert len(host.received) == 1
        assert "refused the report (550 no such user)" in str(failure(plain(host.port, TO[1:]), report))


def test_a_server_that_is_away_may_be_back_soon(report: Report) -> None:
    port = free_port()
    found = failure(plain(port), report)
    assert f"the mail server 127.0.0.1:{port} cannot be reached" in str(found)
    assert found.transient
