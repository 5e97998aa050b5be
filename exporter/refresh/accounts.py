"""Before a refresh: whose account a source reads, that no other does, and what the ledger has of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from exporter.core.errors import SourceError
from exporter.core.source_names import kin_of, kind_of, of_kind
from exporter.ledger.accounts import claim, claims
from exporter.ledger.charges.store import Ledger
from exporter.ledger.moving import known_sources, rename_source
from exporter.ledger.usage.store import UsageLedger
from exporter.refresh.turns import Turn
from exporter.sources.base import RefreshContext, Source

logger = logging.getLogger(__name__)


class Accounts:
    """The accounts of all configured sources. For several threads, one for each source."""

    def __init__(self, ledger: Ledger, sources: Sequence[Source]) -> None:
        self._ledger = ledger
        self._names = [source.name for source in sources]

    def settle(self, source: Source, context: RefreshContext, turn: Turn) -> bool:
        """Return whether what the ledger has of the source has changed, so that its context is another one.

        Raises SourceError where another source reads the same account, or the provider does not answer.
        """
        kin = kin_of(source.name, self._names)
        account = source.account(context)
        parked = False
        if account is not None:
            parked = self._park_former_account(source, account)
            turn.wait()
            self._claim(source, account, kin)
            turn.passed()
        if self._ledger.read_only:
            return False
        known = known_sources(self._ledger)
        if source.name in known:
            return parked
        orphans = sorted(of_kind(kind_of(source.name), known - set(self._names)))
        old = next((orphan for orphan in orphans if self._is_of(source, orphan, account, context)), None)
        if old is None:
            return parked
        rename_source(self._ledger, old, source.name, account=account or "")
        logger.info("%s: goes on with what the ledger has of %s", source.name, old)
        return True

    def _park_former_account(self, source: Source, account: str) -> bool:
        """Put aside what the source read of another account, for whoever reads that account now or later.

        Return whether there was any. So keys may be exchanged between entries, and a new account's past is
        read from its beginning.
        """
        former = claims(self._ledger).get(source.name)
        if former is None or former == account or self._ledger.read_only:
            return False
        # No entry can be called so.
        parked, known = f"{kind_of(source.name)}/@{former}", known_sources(self._ledger)
        while parked in known:
            parked += "@"
        rename_source(self._ledger, source.name, parked, account=former)
        claim(self._ledger, parked, former, ())
        logger.warning(
            "%s: its key was of the account %s and is of %s now; what was read of the first is no longer "
            "shown unless another entry reads it",
            source.name,
            former,
            account,
        )
        return True

    def _claim(self, source: Source, account: str, kin: Sequence[str]) -> None:
        """Raises SourceError where one of the others has the account."""
        if self._ledger.read_only:
            held = claims(self._ledger)
            other = next((name for name in kin if held.get(name) == account), None)
        else:
            other = claim(self._ledger, source.name, account, kin)
        if other is not None:
            raise SourceError(
                "account_read_twice",
                f"its key is of the account {account}, which {other} reads as well; it counts once, there, "
                f"and nothing of {source.name} is read: remove one of the two from the configuration, or "
                "give it the key of another account",
            )

    def _is_of(self, source: Source, orphan: str, account: str | None, context: RefreshContext) -> bool:
        """Whether a source that is configured no more read the same: by its account, else by its costs."""
        claimed = claims(self._ledger).get(orphan)
        if claimed is not None and account is not None:
            return claimed == account
        stored = self._ledger.cursors(orphan) | UsageLedger(self._ledger).cursors(orphan)
        return source.recognises(replace(context, known=stored))
