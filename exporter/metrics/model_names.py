"""The language model of each SKU of the bills, looked up once for each SKU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exporter.analysis.bill.attribution import Combination
from exporter.analysis.llm.models import llm_model
from exporter.analysis.llm.services import LLM_SERVICES
from exporter.core.model_labels import model_label
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import billed_skus

_Sku = tuple[str, str, str, str]
"""Provider, service id, SKU id and text."""


class ModelNames:
    """Remembers its answers; a bill has some thousand SKUs."""

    def __init__(self, gcp_service_ids: Iterable[str]) -> None:
        """`gcp_service_ids` are the services of Google's bill that are language models."""
        others = {name: kind for name, kind in LLM_SERVICES.items() if not _is_of_google(name)}
        self._services = {name: LLM_SERVICES.get(name, "all") for name in gcp_service_ids} | others
        self._known: dict[_Sku, str | None] = {}

    def model(self, provider: str, service_id: str, sku_id: str, sku: str) -> str | None:
        """Return the model; empty for LLM spend that is not of one model, None where it is not LLM spend."""
        named = (provider, service_id, sku_id, sku)
        if named not in self._known:
            found = llm_model(*named, services=self._services)
            self._known[named] = found and model_label(provider, found)
        return self._known[named]

    def of_charge(self, charge: Combination) -> str:
        """Return the model of a charge; empty where it has none."""
        return self.model(charge.provider, charge.service_id, charge.sku_id, charge.sku) or ""

    def skus(self, view: LedgerView, provider: str) -> Sequence[tuple[str, str]]:
        """Return (service id, SKU id) of the LLM spend that a provider bills."""
        return [
            (service_id, sku_id)
            for service_id, sku_id, sku in billed_skus(view, provider)
            if self.model(provider, service_id, sku_id, sku) is not None
        ]


def _is_of_google(service_id: str) -> bool:
    return len(service_id) == 14 and service_id.count("-") == 2
