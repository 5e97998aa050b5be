"""The question of /api/v1/report. The model is also its documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReportParameters(BaseModel):
    """Parameters of /api/v1/report. Without `month`, `week` and `day` it is about the last whole month."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    month: str | None = Field(None, examples=["2026-10"])
    """A month of the providers' billing days."""
    week: str | None = Field(None, examples=["2026-W43"])
    """A week from Monday to Sunday, numbered as in ISO 8601."""
    day: str | None = Field(None, examples=["2026-10-12"])
    by: str | None = Field(None, examples=["service,label.team"])
    """Dimensions separated by commas, a table for each. By default provider (where there are several),
    service, project, category (with cost attribution) and each label that the configuration uses."""
    where: str | None = Field(None, examples=["label.team:core"])
    """Conditions, as of /api/v1/costs: a report on a part of the cost."""
    top: int = Field(10, ge=1, le=100)
    """How many rows a table shows on their own."""
    format: Literal["json", "markdown", "csv"] = "json"
