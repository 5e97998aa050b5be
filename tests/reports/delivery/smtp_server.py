"""A real mail server on loopback, with TLS and a user where wanted, that can refuse what it is given."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.smtp_server import smtp_server

USER, PASSWORD = "spend@example.com", "s3cr3t-password"


@dataclass
class MailHost:
    """What it has taken, in order, and how it answers the next mails."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """For the next mails; then each is taken."""
    unknown: set[str] = field(default_factory=set)
    before_answer: Callable[[], object] = lambda: None
    """Called when a mail has been read and before that is said."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.received.append(message_from_bytes(envelope.original_content or b"", policy=policy.default))
        self.before_answer()
        return "250 OK"


def _allowed(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    # Not handled: the server is to answer.
    return AuthResult(success=right, handled=False)


@contextlib.contextmanager
def mail_host(tls: ssl.SSLContext | None = None) -> Iterator[MailHost]:
    """Run it; with `tls` it offers STARTTLS and needs the user."""
    host = MailHost()

    def protocol() -> SMTP:
        secured = tls is not None
        return SMTP(
            host,
            tls_context=tls,
            require_starttls=secured,
            auth_required=secured,
            authenticator=_allowed if secured else None,
        )

    with smtp_server(protocol) as host.port:
        yield host
