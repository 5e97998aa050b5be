"""The section `retractions` of the configuration: how much of a bill may leave at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.config.problems import Section


class Retractions(Section):
    """When charges that are gone at their source also leave the figures."""

    largest_share: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            le=1,
            allow_inf_nan=False,
            description="a share of a month's billed dollars, 0 to 1",
            examples=[0.2],
        ),
    ] = 0.2
    accept_after_hours: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            allow_inf_nan=False,
            description="a number of hours above 0, or null: only the command accepts",
            examples=[24],
        ),
    ] = 24.0
