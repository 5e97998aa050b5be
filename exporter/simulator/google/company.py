"""Who buys in the demo world: two billing accounts, their projects, the rhythm of use, and each line used.

To use one more thing, add one row to LINES.
"""

# ruff: noqa: E501 -- a table is read row by row

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CreditKind = Literal["committed", "sustained", "promotion", "discount", "fee_utilization"]
Model = Literal["", "sql-1-year"]


@dataclass(frozen=True, slots=True)
class Account:
    """A billing account, what it is billed in, and where its people and customers live."""

    id: str
    currency: str
    usd_rate: float
    """Mean units of the currency for one US dollar."""
    timezone: str
    tax: str
    tax_rate: float
    organization: str
    """Number of the organization its projects belong to."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project: `labels` as in `team=web env=prod`."""

    id: str
    number: str
    name: str
    account: str
    """Key of ACCOUNTS."""
    folder: str
    """Number and display name of the folder above it, as `number name`."""
    labels: str


@dataclass(frozen=True, slots=True)
class Line:
    """One SKU used by one resource of one project."""

    sku: str
    """Key of catalogue.SKUS."""
    project: str
    location: str
    """A zone, a region, a multi-region or `global`."""
    usd_per_day: float
    """Mean cost at list price when the world begins."""
    season: str
    """Key of SEASONS."""
    resource: str = ""
    """`kind/name` as in the resource's global name; empty when the bill names no resource."""
    labels: str = ""
    """Labels of the resource, as in `team=web service=api`."""
    noise: float = 0.12
    """Standard deviation of the logarithm of hourly use. 0: use in whole units, the same every hour."""
    growth: float = 0.04
    """Growth of use in 30 days, as a share."""
    active_share: float = 1.0
    """Share of days on which it is used at all in a bursty world; the mean over all days stays."""
    machine: str = ""
    """Machine type, for the system labels of virtual machines."""
    credit: CreditKind | None = None
    credit_value: float = 0.0
    """Committed pricing units an hour, or the share of cost that the credit gives back."""
    model: Model = ""
    """Consumption model that sets the price; empty for the default one."""
    runaway: bool = False
    """Whether the world's incident multiplies its use."""
    branches: str = ""
    """Git branches whose preview it runs, one after the other for a week each; a label of the resource."""


@dataclass(frozen=True, slots=True)
class Season:
    """Weights of the 24 hours of a working day, and of a day at the weekend against a working day."""

    hours: tuple[float, ...]
    weekend: float


ACCOUNTS: Final[dict[str, Account]] = {
    "main": Account(
        "01A7C2-5F90E1-B83D46", "USD", 1.0, "America/Los_Angeles", "Sales tax", 0.0425, "482910375566"
    ),
    "europe": Account("019D4B-E6620F-7A1C58", "EUR", 0.862, "Europe/Dublin", "VAT", 0.23, "735502918844"),
}

_PRODUCT: Final = "604417730912 product"
_DATA: Final = "918820467731 data-and-ml"
_SHARED: Final = "217765039481 shared"
_EUROPE: Final = "559013874206 northwind-europe"

PROJECTS: Final[dict[str, Project]] = {
    "prod": Project("northwind-prod", "381094427715", "Northwind Production", "main", _PRODUCT, "env=prod team=core"),
    "staging": Project("northwind-staging", "640271983310", "Northwind Staging", "main", _PRODUCT, "env=staging team=core"),
    "dev": Project("northwind-dev", "175539206648", "Northwind Development", "main", _PRODUCT, "env=dev team=core"),
    "data": Project("northwind-data", "902846615537", "Data Platform", "main", _DATA, "env=prod team=data"),
    "ml": Project("northwind-ml", "518367094421", "Machine Learning", "main", _DATA, "env=prod team=research"),
    "assistant": Project("northwind-assistant", "266905817743", "Support Assistant", "main", _DATA, "env=prod team=assistant"),
    "shared": Project("northwind-shared", "734418206959", "Shared Services", "main", _SHARED, "env=prod team=platform"),
    "eu": Project("northwind-eu-prod", "857720361194", "Northwind Europe", "europe", _EUROPE, "env=prod team=europe"),
}  # fmt: skip

_DAY: Final = (
    0.45, 0.38, 0.34, 0.32, 0.34, 0.42, 0.58, 0.78, 0.98, 1.15, 1.26, 1.32,
    1.36, 1.34, 1.30, 1.28, 1.30, 1.36, 1.44, 1.46, 1.36, 1.14, 0.86, 0.62,
)  # fmt: skip
_WORK: Final = (
    0.12, 0.10, 0.10, 0.10, 0.10, 0.14, 0.25, 0.55, 1.20, 1.90, 2.20, 2.15,
    1.60, 1.95, 2.25, 2.20, 1.95, 1.50, 0.90, 0.55, 0.40, 0.30, 0.22, 0.16,
)  # fmt: skip
_NIGHT: Final = (
    2.2, 5.5, 6.0, 5.0, 3.0, 1.2, 0.4, 0.1, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5,
)  # fmt: skip

SEASONS: Final[dict[str, Season]] = {
    "steady": Season((1.0,) * 24, 1.0),
    "traffic": Season(_DAY, 0.78),
    "mild": Season(tuple(0.6 + 0.4 * weight for weight in _DAY), 0.9),
    "work": Season(_WORK, 0.18),
    "night": Season(_NIGHT, 0.7),
    "shift": Season((0.0,) * 8 + (1.0,) * 11 + (0.0,) * 5, 0.0),
}
"""`shift` is for what is switched on for working hours alone."""

_POOL: Final = "team=core service=storefront goog-k8s-cluster-name=prod-1"
_API: Final = "team=core service=storefront-api"
_CHECKOUT: Final = "team=checkout service=checkout"
_AGENT: Final = "team=assistant service=support-agent"
_WAREHOUSE: Final = "team=data service=warehouse"
_PREVIEWS: Final = "checkout-redesign gift-cards one-click-reorder"
_RESEARCH: Final = "team=research service=ranking"

LINES: Final[tuple[Line, ...]] = (
    # Production: a Kubernetes cluster on committed machines, its disks and its network
    Line("n2-core", "prod", "us-central1-a", 97.1, "steady", "instance/gke-prod-1-web-a", _POOL, 0, 0, machine="n2-standard-16", credit="committed", credit_value=96),
    Line("n2-ram", "prod", "us-central1-a", 52.1, "steady", "instance/gke-prod-1-web-a", _POOL, 0, 0, machine="n2-standard-16", credit="committed", credit_value=384),
    Line("n2-core", "prod", "us-central1-b", 24.3, "traffic", "instance/gke-prod-1-web-b", _POOL, 0.05, 0.06, machine="n2-standard-8", credit="sustained"),
    Line("n2-ram", "prod", "us-central1-b", 13.0, "traffic", "instance/gke-prod-1-web-b", _POOL, 0.05, 0.06, machine="n2-standard-8", credit="sustained"),
    Line("n2-core-cud", "prod", "us-central1", 45.9, "steady", noise=0, growth=0),
    Line("n2-ram-cud", "prod", "us-central1", 24.6, "steady", noise=0, growth=0),
    Line("n1-core", "prod", "us-east1-b", 24.3, "steady", "instance/legacy-search-1", "team=search service=search", 0, 0, machine="n1-standard-16", credit="sustained"),
    Line("n1-ram", "prod", "us-east1-b", 12.2, "steady", "instance/legacy-search-1", "team=search service=search", 0, 0, machine="n1-standard-16", credit="sustained"),
    Line("pd-ssd", "prod", "us-central1-a", 22.9, "steady", "disk/gke-prod-1-data-0", _POOL, 0.01, 0.03),
    Line("pd-ssd", "prod", "us-east1-b", 11.4, "steady", "disk/legacy-search-1", "team=search", 0, 0),
    Line("pd-balanced", "prod", "us-central1-a", 9.2, "steady", "disk/gke-prod-1-boot", noise=0.01),
    Line("pd-snapshot", "prod", "us", 6.1, "steady", "snapshot/nightly-search", noise=0.01, growth=0.08),
    Line("egress-us", "prod", "us-central1", 41.0, "traffic", "instance/gke-prod-1-web-a", _API, 0.15, 0.06, credit="discount", credit_value=0.12),
    Line("egress-eu", "prod", "us-central1", 14.2, "traffic", "instance/gke-prod-1-web-a", _API, 0.2, 0.06),
    Line("inter-zone", "prod", "us-central1", 7.9, "traffic", "instance/gke-prod-1-web-b", noise=0.15),
    Line("gke-cluster", "prod", "us-central1", 2.4, "steady", "cluster/prod-1", _POOL, 0, 0),
    Line("autopilot-cpu", "prod", "us-central1", 24.5, "traffic", "cluster/jobs-1", _CHECKOUT, 0.1, 0.1),
    Line("autopilot-ram", "prod", "us-central1", 10.8, "traffic", "cluster/jobs-1", _CHECKOUT, 0.1, 0.1),
    # Databases and caches of production
    Line("pg-ha-cpu", "prod", "us-central1", 63.4, "steady", "instance/orders-db", _CHECKOUT, 0, 0, model="sql-1-year"),
    Line("pg-ha-ram", "prod", "us-central1", 43.0, "steady", "instance/orders-db", _CHECKOUT, 0, 0, model="sql-1-year"),
    Line("pg-ha-ssd", "prod", "us-central1", 22.4, "steady", "instance/orders-db", _CHECKOUT, 0.005, 0.05),
    Line("sql-cud-fee", "prod", "us-central1", 81.6, "steady", noise=0, growth=0, credit="fee_utilization", credit_value=0.978),
    Line("pg-cpu", "prod", "us-central1", 15.9, "steady", "instance/catalog-db", _API, 0, 0),
    Line("pg-ram", "prod", "us-central1", 10.8, "steady", "instance/catalog-db", _API, 0, 0),
    Line("pg-backup", "prod", "us-central1", 5.2, "steady", "instance/orders-db", noise=0.01, growth=0.06),
    Line("redis", "prod", "us-central1", 26.9, "steady", "instance/sessions", _API, 0, 0),
    Line("redis", "prod", "us-east1", 13.4, "steady", "instance/search-cache", "team=search", 0, 0),
    # Production: Cloud Run
    Line("run-cpu", "prod", "us-central1", 38.0, "traffic", "service/storefront-api", _API, 0.08, 0.07),
    Line("run-ram", "prod", "us-central1", 8.6, "traffic", "service/storefront-api", _API, 0.08, 0.07),
    Line("run-requests", "prod", "us-central1", 6.9, "traffic", "service/storefront-api", _API, 0.08, 0.07),
    Line("run-cpu", "prod", "us-central1", 21.3, "traffic", "service/checkout", _CHECKOUT, 0.1, 0.05),
    Line("run-ram", "prod", "us-central1", 4.9, "traffic", "service/checkout", _CHECKOUT, 0.1, 0.05),
    Line("run-requests", "prod", "us-central1", 1.7, "traffic", "service/checkout", _CHECKOUT, 0.1, 0.05),
    Line("run-cpu", "prod", "us-east1", 9.4, "traffic", "service/image-resizer", "team=web service=image-resizer", 0.2, 0.05),
    Line("run-ram", "prod", "us-east1", 3.8, "traffic", "service/image-resizer", "team=web service=image-resizer", 0.2, 0.05),
    # Suggestions need a warm cache, so this service is billed by instance: also while it is idle, and not by request.
    Line("run-cpu-instance", "prod", "us-central1", 11.2, "mild", "service/suggestions", "team=search service=suggestions", 0.04, 0.04),
    Line("run-ram-instance", "prod", "us-central1", 2.9, "mild", "service/suggestions", "team=search service=suggestions", 0.04, 0.04),
    Line("run-min-cpu", "prod", "us-central1", 3.0, "steady", "service/checkout", _CHECKOUT, 0.02, 0),
    Line("fn-invocations", "prod", "us-central1", 1.1, "traffic", "function/order-events", _CHECKOUT, 0.15),
    # Production: storage, network, messages
    Line("gcs-us-multi", "prod", "us", 31.5, "steady", "bucket/northwind-media", "team=web service=media", 0.003, 0.05),
    Line("gcs-class-a", "prod", "us", 4.4, "traffic", "bucket/northwind-media", "team=web service=media", 0.15),
    Line("gcs-class-b", "prod", "us", 3.1, "traffic", "bucket/northwind-media", "team=web service=media", 0.15),
    Line("gcs-download", "prod", "us", 27.2, "traffic", "bucket/northwind-media", "team=web service=media", 0.2, 0.06),
    Line("cdn", "prod", "global", 46.0, "traffic", "", "team=web", 0.12, 0.06, credit="discount", credit_value=0.12),
    Line("lb-rule", "prod", "global", 4.2, "steady", noise=0, growth=0),
    Line("lb-data", "prod", "us-central1", 12.6, "traffic", noise=0.1),
    Line("armor", "prod", "global", 8.8, "traffic", labels="team=security", noise=0.18),
    Line("nat-uptime", "prod", "us-central1", 2.1, "steady", noise=0, growth=0),
    Line("nat-data", "prod", "us-central1", 13.5, "traffic", labels="team=platform", noise=0.15),
    Line("pubsub", "prod", "global", 11.7, "traffic", "topic/order-events", _CHECKOUT, 0.1),
    Line("log-volume", "prod", "global", 33.0, "traffic", labels="team=platform", noise=0.12, growth=0.08),
    Line("prom-samples", "prod", "global", 19.5, "mild", labels="team=platform", noise=0.03),
    # Data platform
    Line("bq-analysis", "data", "us", 88.0, "work", "dataset/reporting", _WAREHOUSE, 0.25, 0.06),
    Line("bq-analysis", "data", "us", 26.0, "night", "dataset/modelling", _WAREHOUSE, 0.25, 0.06),
    Line("bq-slots", "data", "us", 57.6, "night", "reservation/etl", _WAREHOUSE, 0.1, 0.04),
    Line("bq-active", "data", "us", 24.8, "steady", "dataset/events", _WAREHOUSE, 0.003, 0.09),
    Line("bq-long-term", "data", "us", 12.1, "steady", "dataset/events_archive", _WAREHOUSE, 0.002, 0.05),
    Line("bq-streaming", "data", "us", 17.4, "traffic", "dataset/events", _WAREHOUSE, 0.1, 0.06),
    Line("dataflow-cpu", "data", "us-central1", 31.2, "night", "job/sessionise", _WAREHOUSE, 0.2, 0.05),
    Line("dataflow-ram", "data", "us-central1", 10.6, "night", "job/sessionise", _WAREHOUSE, 0.2, 0.05),
    Line("dataflow-shuffle", "data", "us-central1", 8.3, "night", "job/sessionise", _WAREHOUSE, 0.25, 0.05),
    Line("gcs-us", "data", "us-central1", 38.6, "steady", "bucket/northwind-lake", _WAREHOUSE, 0.003, 0.07),
    Line("gcs-nearline", "data", "us-central1", 9.9, "steady", "bucket/northwind-lake-archive", _WAREHOUSE, 0.002, 0.04),
    Line("gcs-class-a", "data", "us-central1", 7.6, "night", "bucket/northwind-lake", _WAREHOUSE, 0.3),
    Line("pubsub", "data", "global", 14.8, "traffic", "subscription/events-to-bigquery", _WAREHOUSE, 0.1, 0.06),
    Line("pubsub-backlog", "data", "global", 1.3, "traffic", "subscription/events-to-bigquery", noise=0.5),
    Line("e2-core-spot", "data", "us-central1-f", 9.4, "night", "instance/airflow-workers", _WAREHOUSE, 0.15, machine="e2-standard-16"),
    Line("e2-ram-spot", "data", "us-central1-f", 5.0, "night", "instance/airflow-workers", _WAREHOUSE, 0.15, machine="e2-standard-16"),
    Line("log-volume", "data", "global", 8.7, "night", labels="team=data", noise=0.2),
    # Machine learning: training, serving, experiments
    Line("vertex-train", "ml", "us-central1", 96.0, "work", "customJob/ranking-train", _RESEARCH, 0.35, 0.05, active_share=0.55),
    Line("vertex-online", "ml", "us-central1", 31.4, "traffic", "endpoint/ranking", _RESEARCH, 0.05, 0.05),
    Line("vertex-vector", "ml", "us-central1", 36.0, "steady", "indexEndpoint/products", _RESEARCH, 0, 0),
    Line("t4", "ml", "us-central1-c", 25.2, "steady", "instance/embedder-1", _RESEARCH, 0, 0, machine="n1-standard-8"),
    Line("l4", "ml", "us-central1-c", 24.6, "shift", "instance/notebook-gpu-1", "team=research", 0.2, 0.02, machine="g2-standard-16"),
    Line("n1-core", "ml", "us-central1-c", 18.2, "steady", "instance/embedder-1", _RESEARCH, 0, 0, machine="n1-standard-8", credit="sustained"),
    Line("n1-ram", "ml", "us-central1-c", 9.2, "steady", "instance/embedder-1", _RESEARCH, 0, 0, machine="n1-standard-8", credit="sustained"),
    Line("pd-balanced", "ml", "us-central1-c", 6.8, "steady", "disk/notebook-gpu-1", "team=research", 0, 0),
    Line("gcs-us", "ml", "us-central1", 12.2, "steady", "bucket/northwind-models", _RESEARCH, 0.003, 0.1),
    Line("api-embed", "ml", "global", 9.5, "night", labels=_RESEARCH, noise=0.3),
    Line("api-lite-in", "ml", "global", 12.4, "work", labels="team=research service=labelling", noise=0.4, active_share=0.7),
    # Support assistant: the company's own use of language models
    Line("pro-in", "assistant", "us-central1", 38.0, "traffic", "", _AGENT, 0.15, 0.15, runaway=True),
    Line("pro-out", "assistant", "us-central1", 31.0, "traffic", "", _AGENT, 0.15, 0.15, runaway=True),
    Line("flash-in", "assistant", "us-central1", 14.6, "traffic", "", _AGENT, 0.12, 0.15),
    Line("flash-out", "assistant", "us-central1", 21.8, "traffic", "", _AGENT, 0.12, 0.15),
    Line("flash-cached", "assistant", "us-central1", 2.9, "traffic", "", _AGENT, 0.12, 0.15),
    Line("api-flash-in", "assistant", "global", 22.5, "work", labels="team=assistant service=code-review", noise=0.25, growth=0.2),
    Line("api-flash-out", "assistant", "global", 34.0, "work", labels="team=assistant service=code-review", noise=0.25, growth=0.2),
    Line("claude-in", "assistant", "us-east1", 24.0, "work", "", "team=assistant service=code-review", 0.25, 0.12),
    Line("claude-out", "assistant", "us-east1", 33.0, "work", "", "team=assistant service=code-review", 0.25, 0.12),
    Line("run-cpu", "assistant", "us-central1", 12.8, "traffic", "service/support-agent", _AGENT, 0.12, 0.15),
    Line("run-ram", "assistant", "us-central1", 5.1, "traffic", "service/support-agent", _AGENT, 0.12, 0.15),
    Line("run-requests", "assistant", "us-central1", 0.4, "traffic", "service/support-agent", _AGENT, 0.12, 0.15),
    # Staging and development: office hours, little at the weekend
    Line("e2-core", "staging", "us-central1-a", 20.9, "mild", "instance/gke-staging-1-pool", "team=core env=staging", 0.03, 0, machine="e2-standard-8"),
    Line("e2-ram", "staging", "us-central1-a", 11.2, "mild", "instance/gke-staging-1-pool", "team=core env=staging", 0.03, 0, machine="e2-standard-8"),
    Line("gke-cluster", "staging", "us-central1", 2.4, "steady", "cluster/staging-1", "team=core env=staging", 0, 0),
    Line("pg-cpu", "staging", "us-central1", 4.0, "steady", "instance/orders-db-staging", "team=checkout env=staging", 0, 0, branches="gift-cards checkout-redesign"),
    Line("pg-ram", "staging", "us-central1", 2.7, "steady", "instance/orders-db-staging", "team=checkout env=staging", 0, 0, branches="gift-cards checkout-redesign"),
    Line("run-cpu", "staging", "us-central1", 2.6, "work", "service/storefront-api", "team=core env=staging", 0.3, branches=_PREVIEWS),
    Line("log-volume", "staging", "global", 5.4, "work", noise=0.3),
    Line("e2-core", "dev", "us-west1-b", 13.6, "shift", "instance/workstations", "team=core owner=", 0.08, 0.02, machine="e2-standard-8"),
    Line("e2-ram", "dev", "us-west1-b", 7.3, "shift", "instance/workstations", "team=core owner=", 0.08, 0.02, machine="e2-standard-8"),
    Line("pd-standard", "dev", "us-west1-b", 5.3, "steady", "disk/forgotten-scratch", noise=0, growth=0),
    Line("bq-analysis", "dev", "us", 9.2, "work", "dataset/scratch", "team=data", 0.6, active_share=0.6),
    # Shared services
    Line("build", "shared", "global", 11.2, "work", labels="team=platform", noise=0.25),
    Line("build-highcpu", "shared", "us-central1", 13.1, "work", labels="team=platform service=storefront", noise=0.35),
    Line("registry", "shared", "us", 9.4, "steady", "repository/images", "team=platform", 0.003, 0.07),
    Line("registry-egress", "shared", "us", 2.2, "work", "repository/images", "team=platform", 0.3),
    Line("secret-access", "shared", "global", 0.9, "mild", noise=0.08),
    Line("log-retention", "shared", "global", 4.1, "steady", "bucket/audit", "team=security", 0.002, 0.09),
    Line("metric-volume", "shared", "global", 9.8, "steady", labels="team=platform", noise=0.03),
    Line("vpn", "shared", "europe-west1", 2.4, "steady", "vpnTunnel/to-dublin", "team=platform", 0, 0),
    # Unused resources: two addresses, and disks without a machine
    Line("static-ip", "prod", "us-east1", 0.48, "steady", "address/old-gateway", "team=search", 0, 0),
    Line("pd-standard", "shared", "us-central1-a", 2.6, "steady", "disk/old-build-cache", "team=platform", 0, 0),
    # The European subsidiary, billed in euros
    Line("n2-core-be", "eu", "europe-west1-b", 26.7, "steady", "instance/eu-web", "team=europe service=storefront-eu", 0, 0, machine="n2-standard-16", credit="sustained"),
    Line("n2-ram-be", "eu", "europe-west1-b", 14.3, "steady", "instance/eu-web", "team=europe service=storefront-eu", 0, 0, machine="n2-standard-16", credit="sustained"),
    Line("pd-balanced-be", "eu", "europe-west1-b", 6.6, "steady", "disk/eu-web", "team=europe", 0.01, 0.03),
    Line("pg-cpu-uk", "eu", "europe-west2", 10.3, "steady", "instance/eu-orders-db", "team=europe service=orders-eu", 0, 0),
    Line("pg-ram-uk", "eu", "europe-west2", 7.0, "steady", "instance/eu-orders-db", "team=europe service=orders-eu", 0, 0),
    Line("pg-ssd-uk", "eu", "europe-west2", 6.7, "steady", "instance/eu-orders-db", "team=europe service=orders-eu", 0.005, 0.05),
    Line("run-cpu-2", "eu", "europe-west2", 3.4, "traffic", "service/orders-eu", "team=europe service=orders-eu", 0.12),
    Line("run-ram-2", "eu", "europe-west2", 0.9, "traffic", "service/orders-eu", "team=europe service=orders-eu", 0.12),
    Line("run-requests", "eu", "europe-west2", 0.3, "traffic", "service/orders-eu", "team=europe service=orders-eu", 0.12),
    Line("run-jobs-cpu", "eu", "europe-west2", 2.1, "night", "job/invoice-export", "team=europe", 0.1),
    Line("gcs-uk", "eu", "europe-west2", 8.2, "steady", "bucket/northwind-eu-media", "team=europe", 0.003, 0.04),
    Line("gcs-download", "eu", "europe-west2", 7.7, "traffic", "bucket/northwind-eu-media", "team=europe", 0.2),
    Line("redis-uk", "eu", "europe-west2", 7.1, "steady", "instance/eu-sessions", "team=europe", 0, 0),
    Line("flash-in", "eu", "europe-west1", 4.1, "work", "", "team=europe service=translate", 0.3, credit="promotion", credit_value=0.5),
    Line("flash-out", "eu", "europe-west1", 5.9, "work", "", "team=europe service=translate", 0.3, credit="promotion", credit_value=0.5),
    Line("log-volume", "eu", "global", 3.8, "traffic", labels="team=europe", noise=0.15),
    # Cloud Run, the rest: what is sent out, and a service that takes far more CPU than its few requests need
    Line("run-egress", "prod", "us-central1", 5.6, "traffic", "service/storefront-api", _API, 0.1, 0.06),
    Line("run-requests", "prod", "us-east1", 0.02, "traffic", "service/image-resizer", "team=web service=image-resizer", 0.2, 0.05),
    Line("run-ram", "staging", "us-central1", 0.6, "work", "service/storefront-api", "team=core env=staging", 0.3, branches=_PREVIEWS),
    Line("run-requests", "staging", "us-central1", 0.05, "work", "service/storefront-api", "team=core env=staging", 0.3, branches=_PREVIEWS),
)  # fmt: skip
