"""Source `recommender`: what Google's Recommender would save, kept as one unchanging set of recommendations.

It stores nothing: recommendations are opinions of today, not charges. The last good ones of a project stay.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.core.errors import SourceError
from exporter.sources.base import Finding, RefreshContext, Rejected, Source, Unreadable
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.google.recommender.recommendations import (
    RECOMMENDERS,
    Recommender,
    is_region,
    recommendation_of,
)
from exporter.sources.patience import patience_of
from exporter.sources.recommendations import NOTHING_RECOMMENDED, Recommendation, Recommendations, is_zone

if TYPE_CHECKING:
    from exporter.sources.google.credentials import GoogleIdentity
    from exporter.sources.google.recommender.session import RecommenderSession

_ASK_AGAIN: Final = timedelta(days=1)
"""After which a recommender is queried again for a location that it does not know."""


@dataclass(slots=True)
class RecommenderSource(Source):
    """Recommendations for some projects. Threads other than the refreshing one may read `findings`."""

    project_ids: Sequence[str]
    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    update_interval: timedelta = timedelta(hours=1)
    """How often it is refreshed; Google itself makes recommendations once a day."""
    recommenders: Sequence[Recommender] = RECOMMENDERS
    endpoint: str | None = None
    """Scheme and host of the API when it is not Google's own."""
    plaintext: bool = False
    """Without credentials, for a simulator on this machine."""
    attempt_seconds: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    name: str = "recommender"
    own_keys: Mapping[str, str] = field(default_factory=dict)
    """As Source.own_keys."""
    provider: str = field(default="gcp", init=False)
    findings: Recommendations = field(default=NOTHING_RECOMMENDED, init=False)
    """What was last read of each project; replaced as a whole."""
    _identity: GoogleIdentity | None = field(default=None, init=False, repr=False)
    _not_offered: dict[tuple[str, str], datetime] = field(default_factory=dict, init=False, repr=False)
    """Recommender and location: until when it is not queried."""

    def refresh(self, context: RefreshContext) -> Iterator[Unreadable]:
        """Read every project again and yield what could not be read.

        Raises SourceError when no project could be read.
        """
        from exporter.sources.google.recommender.session import ReadRefused  # noqa: PLC0415

        failures: list[SourceError] = []
        try:
            with self._session(context) as session:
                for project_id in self.project_ids:
                    if context.stopping():
                        return
                    reader = _ProjectReader(self, session, context, project_id)
                    try:
                        found = reader.read()
                    except ReadRefused as error:
                        yield Unreadable(project_id, Rejected(error.reason, 1, project_id, str(error)))
                        failures.append(error)
                        if error.everywhere:
                            break
                        continue
                    self._keep(project_id, found, context.now)
                    yield from (Unreadable(each.place, each) for each in _summed(reader.rejected))
        except SourceError:
            # Read it again next time: a key may have been renewed.
            self._identity = None
            raise
        if failures and (len(failures) == len(self.project_ids) or failures[-1].reason in _HOPELESS):
            self._identity = None
            raise failures[-1]

    def recommendations(self) -> Recommendations:
        """Return the last good recommendations of each project."""
        return self.findings

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Read every project once and say what came; reading costs nothing."""
        what = "recommendations"
        try:
            for each in self.refresh(context):
                yield Finding(False, what, f"{each.partition}: {each.rejected.detail}")
        except SourceError as error:
            yield Finding(False, what, str(error))
            return
        read = self.findings.read_at or {}
        usd = sum(each.usd_per_month for each in self.findings.active)
        yield Finding(
            True,
            what,
            f"{len(self.findings.active)} active in {len(read)} of {len(self.project_ids)} projects, worth "
            f"${usd:,.2f} a month; {context.tally.requests} requests, free of charge",
        )

    def _keep(self, project_id: str, found: Sequence[Recommendation], now: datetime) -> None:
        others = [each for each in self.findings.active if each.project_id != project_id]
        read_at = {**(self.findings.read_at or {}), project_id: now}
        self.findings = Recommendations((*others, *found), read_at)

    def _session(self, context: RefreshContext) -> RecommenderSession:
        # Loads google-auth only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415
        from exporter.sources.google.recommender import session as recommender_session  # noqa: PLC0415

        if self._identity is None:
            if self.plaintext:
                from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

                anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
                unknown = google_credentials.UNKNOWN_PRINCIPAL
                self._identity = google_credentials.GoogleIdentity(anonymous, None, unknown)
            else:
                settings = CredentialsSettings(self.credentials_path, self.impersonate_service_account)
                self._identity = google_credentials.load_identity(settings, [recommender_session.SCOPE])
        return recommender_session.RecommenderSession(
            self._identity,
            context.tally,
            patience_of(self, context),
            endpoint=self.endpoint or recommender_session.ENDPOINT,
            timeout_seconds=self.attempt_seconds,
            now=lambda: context.now,
        )


_HOPELESS: Final = frozenset({"bad_credentials", "unauthorized"})


class _ProjectReader:
    """Reads one project once. A recommender that does not know a location leaves the others alone."""

    def __init__(
        self,
        source: RecommenderSource,
        session: RecommenderSession,
        context: RefreshContext,
        project_id: str,
    ) -> None:
        self._source = source
        self._session = session
        self._context = context
        self._project_id = project_id
        self.rejected: list[Rejected] = []

    def read(self) -> list[Recommendation]:
        """All active recommendations that save money. Raises ReadRefused."""
        found: dict[str, Recommendation] = {}
        for location in sorted(set(self._session.locations(self._project_id))):
            for recommender in self._source.recommenders:
                if _looks_at(recommender, location):
                    for each in self._of(recommender, location):
                        found[f"{each.recommender}/{each.location}/{each.collection}/{each.resource}"] = each
        return list(found.values())

    def _of(self, recommender: Recommender, location: str) -> list[Recommendation]:
        from exporter.sources.google.recommender.session import ReadRefused  # noqa: PLC0415

        key, now = (recommender.id, location), self._context.now
        if self._source._not_offered.get(key, now) > now:
            return []
        found = []
        try:
            for entry in self._session.recommendations(self._project_id, location, recommender.id):
                made = recommendation_of(entry, recommender, self._project_id, location)
                if isinstance(made, Rejected):
                    self.rejected.append(made)
                elif made is not None:
                    found.append(made)
        except ReadRefused as error:
            if error.whole_project:
                raise
            self._source._not_offered[key] = now + _ASK_AGAIN
            place = f"{self._project_id}/{location}/{recommender.id}"
            self.rejected.append(Rejected(error.reason, 1, place, str(error)))
        return found


def _summed(rejected: Sequence[Rejected]) -> list[Rejected]:
    counts = Counter(replace(each, count=1) for each in rejected)
    return [replace(each, count=count) for each, count in counts.items()]


def _looks_at(recommender: Recommender, location: str) -> bool:
    if location == "global":
        return recommender.in_global
    return is_zone(location) if recommender.scope == "zone" else is_region(location)
