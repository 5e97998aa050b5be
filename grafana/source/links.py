"""Links between boards; they pass on the time range and the variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


UNNAMED: Final = "(none)"
"""A label without a value: cost outside all projects, for instance."""

BOARD: Final = "board"
"""The label that by_board adds: the board of a series' provider."""

BOARDS_OF_PROVIDERS: Final = {
    "gcp": GOOGLE_CLOUD,
    "openai|anthropic|mistral|litellm": LANGUAGE_MODELS,
}
"""By a regular expression of the provider; all others stay on the overview."""


def by_board(expr: str) -> str:
    """Return the expression, by provider and service, with the label of the provider's board."""
    found = f'label_replace({expr}, "service_name", "{UNNAMED}", "service_name", "")'
    found = f'label_replace({found}, "{BOARD}", "{OVERVIEW}", "provider", ".*")'
    for provider, uid in BOARDS_OF_PROVIDERS.items():
        found = f'label_replace({found}, "{BOARD}", "{uid}", "provider", "{provider}")'
    return found


def _of_series(label: str) -> str:
    return f"${{__field.labels.{label}:percentencode}}"


def of_cell(_: str) -> str:
    """The clicked cell of a table."""
    return "${__value.text:percentencode}"


@dataclass(frozen=True, slots=True)
class To:
    """A link to a board."""

    uid: str
    carries: Sequence[str] = ()
    """Labels of the clicked series that become variables of the same name."""
    variables: Sequence[str] = ()
    """Variables of this board that the other board has too."""

    @property
    def by_provider(self) -> bool:
        """Whether the board is that of the clicked series' provider."""
        return self.uid == BOARD

    @property
    def title(self) -> str:
        """The text of the link."""
        return "Open the provider's board" if self.by_provider else f"Open {TITLES[self.uid]}"

    def url(self, value: Callable[[str], str] = _of_series) -> str:
        """Return the address; `value` gives the expression for a label's value in this kind of panel."""
        parts = ["${__url_time_range}", "${datasource:queryparam}", "${job:queryparam}"]
        parts += [f"${{{name}:queryparam}}" for name in self.variables]
        parts += [f"var-{label}={value(label)}" for label in self.carries]
        board = value(BOARD) if self.by_provider else self.uid
        return f"/d/{board}?{'&'.join(parts)}"

    def url_of_row(self, titles: Mapping[str, str]) -> str:
        """Return the address in a table, whose columns have these titles by label, or the label as title."""
        return self.url(lambda label: f'${{__data.fields["{titles.get(label, label)}"]:percentencode}}')
