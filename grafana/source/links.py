"""Links between boards; they pass on the time range and the variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

OVERVIEW: Final = "spend-overview"
GOOGLE_CLOUD: Final = "spend-gcp"
CLOUD_RUN: Final = "spend-cloud-run"
LANGUAGE_MODELS: Final = "spend-llm"
BUDGETS: Final = "spend-budgets"
EXPORTER: Final = "spend-exporter"

TITLES: Final = {
    OVERVIEW: "Spend overview",
    GOOGLE_CLOUD: "Spend on Google Cloud",
    CLOUD_RUN: "Spend on Cloud Run",
    LANGUAGE_MODELS: "Spend on language models",
    BUDGETS: "Budgets and forecast",
    EXPORTER: "Spend exporter",
}


@dataclass(frozen=True, slots=True)
class To:
    """A link to a board."""

    uid: str
    carries: Sequence[str] = ()
    """Labels of the clicked series that become variables of the same name."""
    variables: Sequence[str] = ()
    """Variables of this board that the other board has too."""

    @property
    def title(self) -> str:
        """The text of the link."""
        return f"Open {TITLES[self.uid]}"

    def url(self, value: str = "${{__field.labels.{label}:percentencode}}") -> str:
        """Return the address; `value` is the expression for a label's value in this kind of panel."""
        parts = ["${__url_time_range}", "${datasource:queryparam}", "${job:queryparam}"]
        parts += [f"${{{name}:queryparam}}" for name in self.variables]
        parts += [f"var-{label}={value.format(label=label)}" for label in self.carries]
        return f"/d/{self.uid}?{'&'.join(parts)}"
