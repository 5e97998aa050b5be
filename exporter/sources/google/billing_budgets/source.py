"""Source `billing_budgets`: the budgets that are set up in Cloud Billing. It reports no charges.

It needs the role Billing Account Viewer on the billing account; the requests cost nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import Finding, RefreshContext, Rejected, Source, Unreadable, UsageChange
from exporter.sources.google.billing_budgets.budgets import UnknownBudgetError, cloud_budget
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.patience import patience_of
from exporter.sources.provider_budgets import ProviderBudget

if TYPE_CHECKING:
    from exporter.sources.google.credentials import GoogleIdentity
    from exporter.sources.http.json_api import JsonApi

_CONFIG_KEY: Final = "gcp.budgets"
_MOST_PAGES: Final = 200
_PAGE: Final = 100


@dataclass(slots=True)
class BillingBudgetsSource(Source):
    """The budgets of one billing account."""

    billing_account_id: str
    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    kept_tags: tuple[str, ...] = ()
    """Labels that are kept with charges, such as `label:team`; a budget for another cannot be followed."""
    update_interval: timedelta = timedelta(hours=1)
    """Budgets change seldom."""
    base_url: str = "https://billingbudgets.googleapis.com"
    projects_url: str = "https://cloudresourcemanager.googleapis.com"
    """Where a project's id is looked up by its number."""
    token: Callable[[], str] | None = field(default=None, repr=False)
    """Returns an access token; None: by the credentials."""
    request_seconds: float = REQUEST_SECONDS
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    name: str = "billing_budgets"
    own_keys: Mapping[str, str] = field(default_factory=dict)
    """As Source.own_keys."""
    provider: str = field(default="gcp", init=False)
    budgets: tuple[ProviderBudget, ...] = field(default=(), init=False)
    """As the last successful refresh read them."""
    _identity: GoogleIdentity | None = field(default=None, init=False, repr=False)
    _project_ids: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def refresh(self, context: RefreshContext) -> Iterator[UsageChange]:
        """Read the budgets; what cannot be followed is reported and left out. Raises SourceError."""
        found: list[ProviderBudget] = []
        for each in self._read(context):
            if isinstance(each, Rejected):
                yield Unreadable(each.place, each)
            else:
                found.append(each)
        self.budgets = tuple(found)

    def provider_budgets(self) -> Sequence[ProviderBudget]:
        """Return the budgets that the last refresh could follow."""
        return self.budgets

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Read the budgets, and tell how many there are and which cannot be followed."""
        try:
            found = list(self._read(context))
        except SourceError as error:
            yield Finding(False, "reading", str(error))
            return
        for each in found:
            if isinstance(each, Rejected):
                yield Finding(True, "set aside", each.detail, warning=True)
        count = sum(isinstance(each, ProviderBudget) for each in found)
        counted = "1 budget" if count == 1 else f"{count} budgets"
        yield Finding(True, "budgets", f"{counted} of billing account {self.billing_account_id}")

    def _read(self, context: RefreshContext) -> Iterator[ProviderBudget | Rejected]:
        advice = self._advice(self._loaded() if self.token is None else None)
        with self._api(context, self.base_url, advice) as api:
            listed = self._listed(api)
        with self._api(context, self.projects_url, {}) as projects:
            for each in listed:
                name = str(each.get("displayName") or each.get("name"))
                try:
                    budget = cloud_budget(each, lambda number: self._project_id(projects, number))
                    self._refuse_unkept(budget)
                except UnknownBudgetError as error:
                    yield Rejected("unknown_budget", 1, name, f"the budget {name} is left out: {error}")
                except SourceError as error:
                    yield Rejected(
                        error.reason,
                        1,
                        name,
                        f"the budget {name} is left out, since it names projects by number and their ids "
                        f"cannot be read ({error}); grant Browser (roles/browser) on them",
                    )
                else:
                    if budget.custom_period is None or budget.custom_period[1] > context.now:
                        yield budget

    def _refuse_unkept(self, budget: ProviderBudget) -> None:
        missing = [key for key in budget.labels if f"label:{key}" not in self.kept_tags]
        if missing:
            raise UnknownBudgetError(
                f"it is for the label {missing[0]}, which is not kept with charges; add it to label_costs"
            )

    def _listed(self, api: JsonApi) -> list[Mapping[str, object]]:
        path = f"/v1/billingAccounts/{self.billing_account_id}/budgets"
        found: list[Mapping[str, object]] = []
        params: dict[str, str | int | Sequence[str]] = {"pageSize": _PAGE}
        for _ in range(_MOST_PAGES):
            page = api.get(path, params)
            budgets = page.get("budgets", [])
            if not isinstance(budgets, list) or not all(isinstance(each, Mapping) for each in budgets):
                raise SourceError(
                    "bad_response", f"Cloud Billing: the answer of {path} has no list of budgets"
                )
            found += budgets
            following = page.get("nextPageToken")
            if not following:
                return found
            params["pageToken"] = str(following)
        raise SourceError("bad_response", f"Cloud Billing: {path} has no last page; none of it is used")

    def _project_id(self, api: JsonApi, number: str) -> str:
        if number not in self._project_ids:
            found = api.get(f"/v3/projects/{number}").get("projectId")
            if not isinstance(found, str) or not found:
                raise SourceError("bad_response", f"the project {number} has no id")
            self._project_ids[number] = found
        return self._project_ids[number]

    def _loaded(self) -> GoogleIdentity:
        # Loads google-auth only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415

        if self._identity is None:
            settings = CredentialsSettings(self.credentials_path, self.impersonate_service_account)
            self._identity = google_credentials.load_identity(settings, [google_credentials.CLOUD_PLATFORM])
        return self._identity

    def _headers(self, backoff: Backoff, url: str) -> dict[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token()}"}
        from exporter.sources.google.credentials import access_headers  # noqa: PLC0415

        return access_headers(self._loaded(), backoff, url)

    def _api(self, context: RefreshContext, base_url: str, advice: Mapping[int, str]) -> JsonApi:
        from exporter.sources.http.json_api import JsonApi  # noqa: PLC0415 (loads the HTTP client)

        backoff = patience_of(self, context)
        return JsonApi(
            base_url,
            lambda: self._headers(backoff, base_url),
            name="Cloud Billing",
            config_key=_CONFIG_KEY,
            tally=context.tally,
            backoff=backoff,
            timeout_seconds=self.request_seconds,
            now=lambda: context.now,
            advice=advice,
        )

    def _advice(self, identity: GoogleIdentity | None) -> dict[int, str]:
        who = identity.principal if identity else "the account in use"
        return {
            401: "the access token is not accepted: check gcp.credentials_path",
            403: f"grant {who} the role Billing Account Viewer (roles/billing.viewer) on the billing account "
            f"{self.billing_account_id}, and enable the Cloud Billing Budget API in its project",
            404: f"there is no billing account {self.billing_account_id}: check gcp.billing_account_id",
        }
