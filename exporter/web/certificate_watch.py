"""Notices certificates that cannot be used in place of those that the server goes on with."""

from __future__ import annotations

from exporter.web.tls import TlsError, TlsSettings, server_context, signature_on_disk


class CertificateWatch:
    """The files of a server's TLS, which can be used when the watch begins. For one thread."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._tried = signature_on_disk(settings)
        self.problem = ""
        """Why what is on disk now cannot be used, and what to do; empty where it can."""

    def look(self) -> bool:
        """Return whether `problem` is another one now.

        Files that have just changed are looked at once more before they are read: one of a pair may be new
        already, and the other one not yet.
        """
        signature = signature_on_disk(self._settings)
        settled, self._seen = signature == self._seen, signature
        if not settled or signature == self._tried:
            return False
        self._tried, before = signature, self.problem
        try:
            server_context(self._settings)
        except TlsError as error:
            self.problem = f"tls_server_config.{error.key}: {error}"
        else:
            self.problem = ""
        return self.problem != before
