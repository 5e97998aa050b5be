"""Vertex AI: tokens of models that Google serves; any request type but `shared` is prepaid throughput."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import ShownUnit, Skus, UsageMeter

VERTEX: Final = "C7E2-9256-1C43"

VERTEX_AI: Final[tuple[UsageMeter, ...]] = (
    UsageMeter(
        "vertex_tokens",
        VERTEX,
        "aiplatform.googleapis.com/publisher/online_serving/token_count",
        "aiplatform.googleapis.com/PublisherModel",
        "delta",
        "requests",
        project_label="",
        resource="resource.label.model_user_id",
        dimension="metric.label.type",
        where='metric.label.request_type = "shared"',
        skus=Skus("tokens", pattern=r"(Predictions|token)", by_resource=True),
        people_unit=ShownUnit("1,000 tokens", 1000.0),
    ),
)
