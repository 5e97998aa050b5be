"""What Google sells in the demo world: services with their export lags, and SKUs with units and prices.

To sell one more thing, add one row to SKUS. Prices are US list prices of 2026, in US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

_GIB: Final = float(2**30)


@dataclass(frozen=True, slots=True)
class Unit:
    """How usage is measured and how it is priced: the two units of an export row."""

    usage: str
    pricing: str
    usage_per_pricing: float
    """Usage units in one pricing unit; for units per month, in one pricing unit used for one second."""
    per_month: bool = False


HOUR: Final = Unit("seconds", "hour", 3600.0)
SECOND: Final = Unit("seconds", "second", 1.0)
GIB_HOUR: Final = Unit("byte-seconds", "gibibyte hour", _GIB * 3600.0)
GIB_SECOND: Final = Unit("byte-seconds", "gibibyte second", _GIB)
GIB_MONTH: Final = Unit("byte-seconds", "gibibyte month", _GIB, per_month=True)
GIB: Final = Unit("bytes", "gibibyte", _GIB)
TIB: Final = Unit("bytes", "tebibyte", _GIB * 1024.0)
COUNT: Final = Unit("requests", "count", 1.0)


@dataclass(frozen=True, slots=True)
class Lag:
    """How late a service's usage reaches the export, counted from the end of the usage hour."""

    median_hours: float
    spread: float = 0.3
    """Standard deviation of the logarithm of the lag."""
    split_share: float = 0.05
    """Share of hourly costs that arrive in two or three parts."""
    straggler_share: float = 0.002
    """Share of hourly costs that arrive one to four days late."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the catalogue; `api` is the host part of its resources' global names."""

    id: str
    name: str
    api: str
    lag: Lag
    seller: str = ""
    """Who sells it through the marketplace; empty when Google does."""


@dataclass(frozen=True, slots=True)
class Sku:
    """A thing with a price. Without a known public id it gets one of the same form."""

    id: str
    service: str
    """Key of SERVICES."""
    description: str
    unit: Unit
    price_usd: float
    """Per `price_quantity` pricing units."""
    price_quantity: int = 1
    free_per_month: float = 0.0
    """Pricing units free in each Pacific month and billing account."""
    tier_start: float = 0.0
    """Pricing units from which the price counts, as the export states it."""


def made_up_id(*names: str) -> str:
    """An identifier of Google's form XXXX-XXXX-XXXX that depends only on the names."""
    digits = blake2b("\x1f".join(names).encode(), digest_size=6).hexdigest().upper()
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


_MARKETPLACE_LAG: Final = Lag(12, spread=0.5, split_share=0.1, straggler_share=0.04)

SERVICES: Final[dict[str, Service]] = {
    "compute": Service("6F81-5844-456A", "Compute Engine", "compute", Lag(4, 0.25, 0.04)),
    "storage": Service("95FF-2EF5-5EA1", "Cloud Storage", "storage", Lag(9, 0.4, 0.1, 0.01)),
    "sql": Service("9662-B51E-5089", "Cloud SQL", "sqladmin", Lag(5, 0.3, 0.04)),
    "bigquery": Service("24E6-581D-38E5", "BigQuery", "bigquery", Lag(4, 0.5, 0.12, 0.004)),
    "run": Service("152E-C115-5142", "Cloud Run", "run", Lag(4, 0.3, 0.12, 0.003)),
    "functions": Service("29E7-DA93-CA13", "Cloud Run Functions", "cloudfunctions", Lag(5)),
    "gke": Service("CCD8-9BF1-090E", "Kubernetes Engine", "container", Lag(4, 0.2, 0.03)),
    "vertex": Service("C7E2-9256-1C43", "Vertex AI", "aiplatform", Lag(6, 0.35, 0.12, 0.015)),
    "gemini": Service("AEFD-7695-64FA", "Gemini API", "generativelanguage", Lag(5, 0.4, 0.12, 0.01)),
    "networking": Service("E505-1604-58F8", "Networking", "networking", Lag(8, 0.4, 0.08, 0.005)),
    "logging": Service("5490-F7B7-8DF6", "Cloud Logging", "logging", Lag(7, 0.3, 0.06)),
    "monitoring": Service("58CD-E7C3-72CA", "Cloud Monitoring", "monitoring", Lag(10, 0.3, 0.04)),
    "pubsub": Service("A1E8-BE35-7EBC", "Cloud Pub/Sub", "pubsub", Lag(6, 0.3, 0.08)),
    "redis": Service("5AF5-2C11-D467", "Cloud Memorystore for Redis", "redis", Lag(4, 0.2, 0.02)),
    "build": Service("", "Cloud Build", "cloudbuild", Lag(3, 0.3, 0.1)),
    "registry": Service("149C-F9EC-3994", "Artifact Registry", "artifactregistry", Lag(11, 0.3, 0.05)),
    "dataflow": Service("", "Cloud Dataflow", "dataflow", Lag(5, 0.4, 0.1, 0.004)),
    "secrets": Service("EE82-7A5E-871C", "Secret Manager", "secretmanager", Lag(8)),
    "claude": Service("", "Claude Sonnet 4.5", "aiplatform", _MARKETPLACE_LAG, seller="Anthropic"),
}

_MILLION: Final = 1_000_000

SKUS: Final[dict[str, Sku]] = {
    # Compute Engine
    "n2-core": Sku("BB77-5FDA-69D9", "compute", "N2 Instance Core running in Americas", HOUR, 0.031611),
    "n2-ram": Sku("5B01-D157-A097", "compute", "N2 Instance Ram running in Americas", GIB_HOUR, 0.004237),
    "e2-core": Sku("CF4E-A0C7-E3BF", "compute", "E2 Instance Core running in Americas", HOUR, 0.02181159),
    "e2-ram": Sku("F449-33EC-A5EF", "compute", "E2 Instance Ram running in Americas", GIB_HOUR, 0.00292353),
    "n1-core": Sku(
        "2E27-4F75-95CD", "compute", "N1 Predefined Instance Core running in Americas", HOUR, 0.031611
    ),
    "n1-ram": Sku(
        "6C71-E844-38BC", "compute", "N1 Predefined Instance Ram running in Americas", GIB_HOUR, 0.004237
    ),
    "e2-core-spot": Sku(
        "", "compute", "Spot Preemptible E2 Instance Core running in Americas", HOUR, 0.00872
    ),
    "e2-ram-spot": Sku(
        "", "compute", "Spot Preemptible E2 Instance Ram running in Americas", GIB_HOUR, 0.00117
    ),
    "n2-core-be": Sku("", "compute", "N2 Instance Core running in Belgium", HOUR, 0.034773),
    "n2-ram-be": Sku("", "compute", "N2 Instance Ram running in Belgium", GIB_HOUR, 0.004661),
    "t4": Sku("", "compute", "Nvidia Tesla T4 GPU running in Americas", HOUR, 0.35),
    "l4": Sku("", "compute", "Nvidia L4 GPU running in Americas", HOUR, 0.560004),
    "pd-standard": Sku("D973-5D65-BAB2", "compute", "Storage PD Capacity", GIB_MONTH, 0.04),
    "pd-ssd": Sku("B188-61DD-52E4", "compute", "SSD backed PD Capacity", GIB_MONTH, 0.17),
    "pd-balanced": Sku("", "compute", "Balanced PD Capacity", GIB_MONTH, 0.10),
    "pd-balanced-be": Sku("", "compute", "Balanced PD Capacity in Belgium", GIB_MONTH, 0.10),
    "static-ip": Sku("C054-7F72-A02E", "compute", "Static Ip Charge", HOUR, 0.01),
    "pd-snapshot": Sku("", "compute", "Storage PD Snapshot", GIB_MONTH, 0.05),
    "egress-us": Sku(
        "", "compute", "Network Internet Data Transfer Out from Americas to Americas", GIB, 0.085
    ),
    "egress-eu": Sku("", "compute", "Network Internet Data Transfer Out from Americas to EMEA", GIB, 0.085),
    "inter-zone": Sku("DE9E-AFBC-A15A", "compute", "Network Inter Zone Data Transfer Out", GIB, 0.01),
    "n2-core-cud": Sku("", "compute", "Commitment v1: N2 Cpu in Americas for 1 Year", HOUR, 0.019915),
    "n2-ram-cud": Sku("", "compute", "Commitment v1: N2 Ram in Americas for 1 Year", GIB_HOUR, 0.002669),
    # Kubernetes Engine
    "gke-cluster": Sku("", "gke", "Regional Kubernetes Clusters", HOUR, 0.10),
    "autopilot-cpu": Sku("", "gke", "Autopilot Pod mCPU Requests (us-central1)", HOUR, 0.0000445),
    "autopilot-ram": Sku("", "gke", "Autopilot Pod Memory Requests (us-central1)", GIB_HOUR, 0.0049225),
    # Cloud SQL
    "pg-ha-cpu": Sku("", "sql", "Cloud SQL for PostgreSQL: Regional - vCPU in Americas", HOUR, 0.0826),
    "pg-ha-ram": Sku("", "sql", "Cloud SQL for PostgreSQL: Regional - RAM in Americas", GIB_HOUR, 0.014),
    "pg-ha-ssd": Sku(
        "", "sql", "Cloud SQL for PostgreSQL: Regional - Standard storage in Americas", GIB_MONTH, 0.34
    ),
    "pg-cpu": Sku("", "sql", "Cloud SQL for PostgreSQL: Zonal - vCPU in Americas", HOUR, 0.0413),
    "pg-ram": Sku("", "sql", "Cloud SQL for PostgreSQL: Zonal - RAM in Americas", GIB_HOUR, 0.007),
    "pg-backup": Sku("", "sql", "Cloud SQL for PostgreSQL: Backups in Americas", GIB_MONTH, 0.08),
    "pg-cpu-uk": Sku(
        "3E1A-85BB-7956", "sql", "Cloud SQL for PostgreSQL: Zonal - vCPU in London", HOUR, 0.0535
    ),
    "pg-ram-uk": Sku(
        "A466-F7CB-DD13", "sql", "Cloud SQL for PostgreSQL: Zonal - RAM in London", GIB_HOUR, 0.00905
    ),
    "pg-ssd-uk": Sku(
        "A025-9006-CE7C",
        "sql",
        "Cloud SQL for PostgreSQL: Zonal - Standard storage in London",
        GIB_MONTH,
        0.204,
    ),
    "sql-cud-fee": Sku(
        "", "sql", "Commitment - dollar based v1: Cloud SQL in us-central1 for 1 year", COUNT, 0.01
    ),
    # Cloud Storage
    "gcs-us": Sku("E5F0-6A5D-7BAD", "storage", "Standard Storage US Regional", GIB_MONTH, 0.02),
    "gcs-us-multi": Sku("0D5D-6E23-4250", "storage", "Standard Storage US Multi-region", GIB_MONTH, 0.026),
    "gcs-nearline": Sku("", "storage", "Nearline Storage Iowa", GIB_MONTH, 0.01),
    "gcs-uk": Sku("BB55-3E5A-405C", "storage", "Standard Storage London", GIB_MONTH, 0.023),
    "gcs-class-a": Sku("4DBF-185F-A415", "storage", "Regional Standard Class A Operations", COUNT, 0.000005),
    "gcs-class-b": Sku("7870-010B-2763", "storage", "Regional Standard Class B Operations", COUNT, 0.0000004),
    "gcs-download": Sku(
        "22EB-AAE8-FBCD", "storage", "Download Worldwide Destinations (excluding Asia & Australia)", GIB, 0.12
    ),
    # BigQuery
    "bq-analysis": Sku(
        "3362-E469-6BEF", "bigquery", "Analysis", TIB, 6.25, free_per_month=1.0, tier_start=1.0
    ),
    "bq-active": Sku("947D-3B46-7781", "bigquery", "Active Logical Storage", GIB_MONTH, 0.02),
    "bq-long-term": Sku("", "bigquery", "Long Term Logical Storage", GIB_MONTH, 0.01),
    "bq-streaming": Sku("", "bigquery", "Streaming Insert", GIB, 0.0512),
    "bq-slots": Sku("", "bigquery", "BigQuery Standard Edition for US (multi-region)", HOUR, 0.04),
    # Cloud Run: ids and list prices of August 2026
    "run-cpu": Sku(
        "4856-B847-F1EB",
        "run",
        "Services CPU (Request-based billing)",
        SECOND,
        0.000024,
        free_per_month=180_000.0,
        tier_start=180_000.0,
    ),
    "run-ram": Sku(
        "02A2-9231-36A6",
        "run",
        "Services Memory (Request-based billing)",
        GIB_SECOND,
        0.0000025,
        free_per_month=360_000.0,
        tier_start=360_000.0,
    ),
    "run-requests": Sku(
        "2DA5-55D3-E679", "run", "Requests", COUNT, 0.0000004, free_per_month=2e6, tier_start=2e6
    ),
    "run-cpu-2": Sku(
        "085C-A237-027A",
        "run",
        "Services CPU Tier 2 (Request-based billing)",
        SECOND,
        0.0000336,
        free_per_month=180_000.0,
        tier_start=180_000.0,
    ),
    "run-ram-2": Sku(
        "600C-3782-6708",
        "run",
        "Services Memory Tier 2 (Request-based billing)",
        GIB_SECOND,
        0.0000035,
        free_per_month=360_000.0,
        tier_start=360_000.0,
    ),
    "run-min-cpu": Sku(
        "7EBB-8579-2C98", "run", "Services Min Instance CPU (Request-based billing)", SECOND, 0.0000025
    ),
    "run-cpu-instance": Sku(
        "", "run", "Services CPU (Instance-based billing) in us-central1", SECOND, 0.000018
    ),
    "run-ram-instance": Sku(
        "", "run", "Services Memory (Instance-based billing) in us-central1", GIB_SECOND, 0.000002
    ),
    "run-egress": Sku(
        "", "run", "Cloud Run Network Internet Data Transfer Out North America to North America", GIB, 0.12
    ),
    "run-jobs-cpu": Sku("900B-EA7D-0386", "run", "Jobs CPU in europe-west2", SECOND, 0.0000252),
    "fn-invocations": Sku(
        "92DF-0F0E-630F", "functions", "Cloud Run Functions Invocations", COUNT, 0.0000004, free_per_month=2e6
    ),
    # Vertex AI and other models
    "flash-in": Sku(
        "FDAB-647C-5A22", "vertex", "Gemini 2.5 Flash GA Text Input - Predictions", COUNT, 0.30, _MILLION
    ),
    "flash-out": Sku("", "vertex", "Gemini 2.5 Flash GA Text Output - Predictions", COUNT, 2.50, _MILLION),
    "flash-cached": Sku("", "vertex", "Gemini 2.5 Flash GA Input Text Caching", COUNT, 0.03, _MILLION),
    "pro-in": Sku(
        "EAC4-305F-1249", "vertex", "Gemini 3.0 Pro Text Input - Predictions", COUNT, 2.00, _MILLION
    ),
    "pro-out": Sku(
        "2737-2D33-D986", "vertex", "Gemini 3.0 Pro Text Output - Predictions", COUNT, 12.00, _MILLION
    ),
    "vertex-train": Sku("", "vertex", "Custom Training: Nvidia L4 GPU running in Americas", HOUR, 0.644046),
    "vertex-online": Sku(
        "", "vertex", "Online Prediction: N1 Instance Core running in Americas", HOUR, 0.0364
    ),
    "vertex-vector": Sku(
        "", "vertex", "Vector Search Index Serving e2-standard-16 in us-central1", HOUR, 0.75
    ),
    "api-flash-in": Sku(
        "981A-C057-0BF9",
        "gemini",
        "Generate content input token count gemini 2.5 flash short input text",
        COUNT,
        0.30,
        _MILLION,
    ),
    "api-flash-out": Sku(
        "911A-8880-A243",
        "gemini",
        "Generate content output token count gemini 2.5 flash short input text",
        COUNT,
        2.50,
        _MILLION,
    ),
    "api-lite-in": Sku(
        "399C-32AD-1412",
        "gemini",
        "Generate content input token count gemini 2.5 flash lite short input text",
        COUNT,
        0.10,
        _MILLION,
    ),
    "api-embed": Sku(
        "E211-E01C-0CB3",
        "gemini",
        "EmbedContent input token count for gemini-embedding-001",
        COUNT,
        0.15,
        _MILLION,
    ),
    "claude-in": Sku("", "claude", "Claude Sonnet 4.5 Input Tokens", COUNT, 3.00, _MILLION),
    "claude-out": Sku("", "claude", "Claude Sonnet 4.5 Output Tokens", COUNT, 15.00, _MILLION),
    # Networking, observability, messaging, delivery
    "nat-uptime": Sku("32E2-4EFC-EF9F", "networking", "Networking Cloud Nat Gateway Uptime", HOUR, 0.044),
    "nat-data": Sku("015F-5732-FFF0", "networking", "Networking Cloud Nat Data Processing", GIB, 0.045),
    "lb-rule": Sku("", "networking", "Global External Application Load Balancer Rule Minimum", HOUR, 0.025),
    "lb-data": Sku(
        "", "networking", "Application Load Balancer Outbound Data Processing (us-central1)", GIB, 0.008
    ),
    "cdn": Sku("", "networking", "Cloud CDN Data Transfer Out to North America", GIB, 0.08),
    "armor": Sku("", "networking", "Cloud Armor Requests", COUNT, 0.75, _MILLION),
    "vpn": Sku("", "networking", "Cloud VPN tunnel in europe-west1", HOUR, 0.05),
    "log-volume": Sku("143F-A1B0-E0BE", "logging", "Log Storage cost", GIB, 0.50, free_per_month=50.0),
    "log-retention": Sku("", "logging", "Log Retention cost", GIB_MONTH, 0.01),
    "prom-samples": Sku("", "monitoring", "Prometheus Samples Ingested", COUNT, 0.06, _MILLION),
    "metric-volume": Sku("", "monitoring", "Metric Volume", GIB, 0.258),
    "pubsub": Sku("027D-B6C7-CCA2", "pubsub", "Message Delivery Basic", TIB, 40.0, free_per_month=0.01),
    "pubsub-backlog": Sku("3EAB-48F3-A0D5", "pubsub", "Subscriptions message backlog", GIB_MONTH, 0.27),
    "redis": Sku("", "redis", "Redis Capacity Standard M3 Iowa", GIB_HOUR, 0.035),
    "redis-uk": Sku("8FF9-D19D-3185", "redis", "Redis Capacity Basic M1 London", GIB_HOUR, 0.0592),
    "build": Sku("", "build", "Build time (e2-standard-2)", SECOND, 0.0001, free_per_month=150_000.0),
    "build-highcpu": Sku("", "build", "Build time (e2-highcpu-32)", SECOND, 0.00106667),
    "registry": Sku("", "registry", "Artifact Registry Storage", GIB_MONTH, 0.10),
    "registry-egress": Sku(
        "", "registry", "Artifact Registry Network Inter Region Data Transfer Out", GIB, 0.01
    ),
    "dataflow-cpu": Sku("", "dataflow", "vCPU Time Batch Iowa", HOUR, 0.056),
    "dataflow-ram": Sku("", "dataflow", "RAM Time Batch Iowa", GIB_HOUR, 0.003557),
    "dataflow-shuffle": Sku("", "dataflow", "Shuffle Chargeable Data Processed Iowa", GIB, 0.011),
    "secret-access": Sku("", "secrets", "Secret access operations", COUNT, 0.000003),
}
