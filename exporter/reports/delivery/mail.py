"""Sends a report by SMTP: text, HTML, and the page as an attachment."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final, Literal

from exporter.core.printable import printable
from exporter.questions.report_answer import Report
from exporter.reports.delivery.destination import DeliveryError, delivery_id
from exporter.reports.rendering import headline, html_mail, html_page, markdown

_TIMEOUT_SECONDS: Final = 30.0
_LONGEST_SHOWN: Final = 200

Encryption = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, and whom to write to."""

    host: str
    port: int
    encryption: Encryption
    sender: str
    to: Sequence[str]
    username: str | None = None
    password: Callable[[], str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """None: the authorities that the system trusts."""

    @property
    def kind(self) -> str:
        """Its key in the configuration."""
        return "mail"

    def check(self) -> str:
        """Connect and log in, and return what works; nobody gets a mail.

        Raises DeliveryError and SourceError.
        """
        with self._session() as server:
            server.noop()
        how = {"starttls": "TLS (STARTTLS)", "tls": "TLS", "none": "without TLS"}[self.encryption]
        user = f"logged in as {self.username}" if self.username is not None else "without a user"
        rest = f"whether it takes mail for {', '.join(self.to)} is not known until it gets one"
        return f"{self._place} answers, {how}, {user}; {rest}"

    def send(self, name: str, report: Report) -> None:
        """Send a report. Raises DeliveryError and SourceError."""
        message = mail_of(name, report, self.sender, self.to)
        with self._session() as server:
            self._hand_over(server, message)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """Yield a connection that has logged in. Raises DeliveryError and SourceError."""
        password = self.password() if self.password is not None else None
        try:
            with self._connected() as server:
                if self.username is not None and password is not None:
                    self._log_in(server, self.username, password)
                yield server
        except ssl.SSLError as error:
            raise DeliveryError(
                f"{self._place} has no certificate that is trusted for {self.host} "
                f"({error.reason or type(error).__name__}); set mail.ca_file to its authority",
                transient=False,
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise DeliveryError(
                f"{self._place} does not offer what is needed: use mail.encryption tls for port 465, or none "
                "for a server of your own without TLS",
                transient=False,
            ) from None
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise DeliveryError(
                f"{self._place} cannot be reached or hung up ({why}); check mail.host, mail.port and "
                "mail.encryption",
                transient=True,
            ) from None

    @property
    def _place(self) -> str:
        return f"the mail server {self.host}:{self.port}"

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.encryption == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS)
        if self.encryption == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def _log_in(self, server: smtplib.SMTP, username: str, password: str) -> None:
        try:
            server.login(username, password)
        except smtplib.SMTPAuthenticationError as error:
            # What the server says is not repeated: it may contain what was sent to it.
            raise DeliveryError(
                f"{self._place} refused the user {username} ({error.smtp_code}); check mail.username and the "
                "password",
                transient=400 <= error.smtp_code < 500,
            ) from None
        except smtplib.SMTPServerDisconnected:
            # Some servers hang up after a wrong password.
            raise DeliveryError(
                f"{self._place} hung up on the user {username}; check mail.username and the password",
                transient=False,
            ) from None

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        _, sender = parseaddr(self.sender)
        try:
            refused = server.send_message(message, sender, [parseaddr(each)[1] for each in self.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise self._refused(code, text) from None
        if refused:
            code, text = next(iter(refused.values()))
            raise DeliveryError(
                f"{self._place} took the report, but not for {', '.join(refused)} "
                f"({code} {_shown(text)}); check mail.to",
                transient=False,
            )

    def _refused(self, code: int, said: bytes | str) -> DeliveryError:
        return DeliveryError(
            f"{self._place} refused the report ({code} {_shown(said)}); check mail.sender, mail.to and "
            "whether the server needs a user",
            transient=code < 500,
        )


def mail_of(name: str, report: Report, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the mail. The same report to the same people has the same Message-ID each time."""
    message = EmailMessage()
    message["Subject"] = headline(report)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(datetime.fromisoformat(report.made_at))
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message["Message-ID"] = f"<report-{delivery_id(name, report, ','.join(sorted(to)))}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(markdown(report))
    message.add_alternative(html_mail(report), subtype="html")
    message.add_attachment(
        html_page(report).encode(),
        maintype="text",
        subtype="html",
        filename=f"spending-{report.name}.html",
        params={"charset": "utf-8"},
    )
    return message


def _shown(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(printable(text, " ").split())[:_LONGEST_SHOWN]
