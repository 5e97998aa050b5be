"""The section `timeouts` of the configuration: how long others may take to answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.config.problems import Section


class Timeouts(Section):
    """Limits by the clock, whatever the other side does in the meantime."""

    request_seconds: Annotated[
        float,
        Field(
            strict=True,
            ge=1,
            le=600,
            allow_inf_nan=False,
            description="a number of seconds from 1 to 600",
            examples=[30],
        ),
    ] = 30.0
    refresh_seconds: Annotated[
        float,
        Field(
            strict=True,
            ge=10,
            le=86400,
            allow_inf_nan=False,
            description="a number of seconds from 10 to 86400",
            examples=[900],
        ),
    ] = 900.0
