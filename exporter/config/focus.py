"""The section `focus` of the configuration: bills of any provider in the FinOps FOCUS format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictStr

from exporter.config.problems import Section
from exporter.config.types import ReadGlob, UpdateMinutes


class Focus(Section):
    """FOCUS exports in files."""

    files: Annotated[
        tuple[ReadGlob, ...],
        Field(
            min_length=1,
            description="a list of at least one path, glob or address (s3://, gs://, az://) of "
            "CSV or Parquet files",
            examples=[["focus/*.csv"]],
        ),
    ]
    cost: Annotated[
        Literal["billed", "effective"],
        Field(description="billed or effective", examples=["billed"]),
    ] = "billed"
    usd_per: Annotated[
        Mapping[
            Annotated[StrictStr, Field(pattern=r"^[A-Z]{3}$")],
            Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)],
        ],
        Field(
            description="currencies, each with the value of one unit in US dollars",
            examples=[{"EUR": 1.08}],
        ),
    ] = {}
    update_interval_minutes: UpdateMinutes = 15.0
