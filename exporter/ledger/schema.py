"""Tables of the ledger, their version, and the steps from each older version to the next.

Steps are added here, never changed: existing ledgers have run the old ones.
"""

from __future__ import annotations

from typing import Final

import duckdb

from exporter.core.charges import CHARGE_COLUMNS, SERIES_COLUMNS, USAGE_COLUMNS

_SERIES = ",\n  ".join(f"{name} {CHARGE_COLUMNS[name]} NOT NULL" for name in SERIES_COLUMNS)

_CREATE: Final = f"""
CREATE TABLE setting (name VARCHAR NOT NULL, value VARCHAR NOT NULL);

-- One row per partition of a source; cursor is the source's own mark of what it read.
CREATE TABLE partition (
  partition_id INTEGER NOT NULL, source VARCHAR NOT NULL, name VARCHAR NOT NULL,
  cursor VARCHAR NOT NULL, export_rows BIGINT NOT NULL
);

-- Dimensions once, with the counters that must never fall:
--   *_present_usd: sum over the charges that the ledger holds now;
--   *_retired_usd: sum over charges that retention removed;
--   *_usd_total: highest value of their sum so far, which is what is exposed.
-- published: NULL until first exposed, then 'own' (own series) or 'folded' (in `other`);
-- *_base_usd: the part of the total that stays counted in `other` after a series got its own place.
CREATE TABLE series (
  series_id INTEGER NOT NULL, source VARCHAR NOT NULL,
  {_SERIES},
  billed_present_usd DECIMAL(38,18) NOT NULL, billed_retired_usd DECIMAL(38,18) NOT NULL,
  billed_usd_total DECIMAL(38,18) NOT NULL, billed_base_usd DECIMAL(38,18) NOT NULL,
  credit_present_usd DECIMAL(38,18) NOT NULL, credit_retired_usd DECIMAL(38,18) NOT NULL,
  credit_usd_total DECIMAL(38,18) NOT NULL, credit_base_usd DECIMAL(38,18) NOT NULL,
  published VARCHAR
);

CREATE TABLE charge (
  partition_id INTEGER NOT NULL, series_id INTEGER NOT NULL,
  charge_period_start TIMESTAMP NOT NULL, export_hour TIMESTAMP NOT NULL, exported_at TIMESTAMP NOT NULL,
  invoice_month VARCHAR NOT NULL, billing_currency VARCHAR NOT NULL,
  billed_cost DECIMAL(38,18) NOT NULL, billed_cost_usd DECIMAL(38,18) NOT NULL,
  consumed_quantity DOUBLE NOT NULL, consumed_unit VARCHAR NOT NULL
);

CREATE TABLE restated (
  source VARCHAR NOT NULL, provider VARCHAR NOT NULL, direction VARCHAR NOT NULL,
  usd_total DECIMAL(38,18) NOT NULL
);
"""

_USAGE_SERIES = ",\n  ".join(
    f"{name} {type_name} NOT NULL"
    for name, type_name in USAGE_COLUMNS.items()
    if name not in ("start", "end", "value")
)

_ADD_USAGE: Final = f"""
-- One row per meter of a project: how far it was read, and the source's own mark of that.
CREATE TABLE usage_cursor (
  source VARCHAR NOT NULL, project_id VARCHAR NOT NULL, meter VARCHAR NOT NULL,
  cursor VARCHAR NOT NULL, through TIMESTAMP NOT NULL
);

-- Dimensions once, with the counters that must never fall:
--   present: sum over usage_hour; retired: what retention removed from it; total: highest sum so far;
--   priced_total: the part of the total that usd_total is the price of.
CREATE TABLE usage_series (
  usage_series_id INTEGER NOT NULL, source VARCHAR NOT NULL,
  {_USAGE_SERIES},
  present DOUBLE NOT NULL, retired DOUBLE NOT NULL, total DOUBLE NOT NULL,
  priced_total DOUBLE NOT NULL, usd_total DOUBLE NOT NULL
);

-- Every hour, and for some days the intervals within.
CREATE TABLE usage_hour (usage_series_id INTEGER NOT NULL, hour TIMESTAMP NOT NULL, amount DOUBLE NOT NULL);
CREATE TABLE usage_point (
  usage_series_id INTEGER NOT NULL, begins TIMESTAMP NOT NULL, ends TIMESTAMP NOT NULL, amount DOUBLE NOT NULL
);
"""

_ADD_TAGS: Final = "ALTER TABLE charge ADD COLUMN tags VARCHAR DEFAULT '';"

_ADD_SAID: Final = """
-- The nowcast's first estimates at each whole hour, of the billing day that the hour belongs to.
CREATE TABLE said (
  provider VARCHAR NOT NULL, hour TIMESTAMP NOT NULL, day DATE NOT NULL,
  nowcast_nano_usd BIGINT NOT NULL, day_forecast_nano_usd BIGINT NOT NULL, with_live_usage BOOLEAN NOT NULL
);
"""

_ADD_REMOTE_WRITE: Final = """
-- Receivers of hourly costs, and the first hour that each receives.
CREATE TABLE remote_receiver (
  receiver_id INTEGER NOT NULL, name VARCHAR NOT NULL, sent_from TIMESTAMP NOT NULL
);

CREATE TABLE remote_series (
  remote_series_id INTEGER NOT NULL, provider VARCHAR NOT NULL, project_id VARCHAR NOT NULL,
  service_name VARCHAR NOT NULL, charge_category VARCHAR NOT NULL
);

-- What a receiver has of an hour: the sum and the number of its values.
CREATE TABLE remote_acknowledged (
  receiver_id INTEGER NOT NULL, remote_series_id INTEGER NOT NULL, usage_hour TIMESTAMP NOT NULL,
  revisions INTEGER NOT NULL, usd DECIMAL(38,18) NOT NULL
);

-- Values to send that are not acknowledged; at most one per receiver, series and hour.
CREATE TABLE remote_outbox (
  sample_id BIGINT NOT NULL, receiver_id INTEGER NOT NULL, remote_series_id INTEGER NOT NULL,
  usage_hour TIMESTAMP NOT NULL, revision INTEGER NOT NULL, usd DECIMAL(38,18) NOT NULL,
  refusals INTEGER NOT NULL, retry_at TIMESTAMP NOT NULL
);
"""

_ADD_PERIOD_END: Final = "ALTER TABLE charge ADD COLUMN charge_period_end TIMESTAMP;"

_ADD_INVOICE_PARTS: Final = """
ALTER TABLE charge ADD COLUMN corrects BOOLEAN;

-- Parts of invoices that no charge carries: usage that retention removed, money without a rate to US dollars,
-- money without a real time of usage. Only of invoices that are still shown, so that it stays small.
CREATE TABLE invoice_part (
  partition_id INTEGER NOT NULL, billing_account_id VARCHAR NOT NULL, charge_category VARCHAR NOT NULL,
  export_hour TIMESTAMP NOT NULL, invoice_month VARCHAR NOT NULL, billing_currency VARCHAR NOT NULL,
  billed_cost DECIMAL(38,18) NOT NULL
);
"""

_ADD_COUNTED_FROM: Final = """
-- counted_from: when the counters were zero, the first time that they count; it never changes.
-- unseen: they began after the source had been read to its end, and were never exposed. Such a counter is
-- exposed as zero first: what it counts has happened since. All others begin with what they counted before.
ALTER TABLE series ADD COLUMN counted_from TIMESTAMP;
ALTER TABLE series ADD COLUMN unseen BOOLEAN DEFAULT false;
ALTER TABLE usage_series ADD COLUMN counted_from TIMESTAMP;
ALTER TABLE usage_series ADD COLUMN unseen BOOLEAN DEFAULT false;
-- Whose usage of language models was counted last, by provider. When another source takes over, its counters
-- go on from those of the one before: counted_offset is added to the total of the source that counts, and
-- counted_until_left is what a source had counted when it was left.
CREATE TABLE counted_usage (provider VARCHAR NOT NULL, source VARCHAR NOT NULL);
ALTER TABLE usage_series ADD COLUMN counted_offset DOUBLE DEFAULT 0;
ALTER TABLE usage_series ADD COLUMN counted_until_left DOUBLE;
UPDATE series SET counted_from = known.since
FROM (SELECT series_id AS id, min(export_hour) AS since FROM charge GROUP BY ALL) AS known
WHERE series_id = id;
UPDATE usage_series SET counted_from = known.since
FROM (SELECT usage_series_id AS id, min(hour) AS since FROM usage_hour GROUP BY ALL) AS known
WHERE usage_series_id = id;
-- What retention removed was counted before the time from which charges are kept.
UPDATE series SET counted_from = coalesce(
  (SELECT min(value::TIMESTAMP) FROM setting WHERE name = 'kept_from'),
  (SELECT min(counted_from) FROM series))
WHERE counted_from IS NULL;
UPDATE usage_series SET counted_from = coalesce(
  (SELECT min(value::TIMESTAMP) FROM setting WHERE name = 'usage_kept_from'),
  (SELECT min(counted_from) FROM usage_series))
WHERE counted_from IS NULL;
"""

_NAME_LABELS_BY_PLACE: Final = """
-- Values of the labels of a family of history, in its order; those that it does not have are empty.
ALTER TABLE remote_series RENAME provider TO label_1;
ALTER TABLE remote_series RENAME project_id TO label_2;
ALTER TABLE remote_series RENAME service_name TO label_3;
ALTER TABLE remote_series RENAME charge_category TO label_4;
"""

_ADD_LIST_PRICES: Final = """
-- Cost at list prices less the billed cost; NULL: not known. It is mostly 0, so that it takes little room.
ALTER TABLE charge ADD COLUMN list_above_billed_usd DECIMAL(38,18);
"""

_ADD_UNIT_COUNTS: Final = """
-- The number of a unit of the user's business on a billing day, and the query that returned it.
CREATE TABLE unit_count (
  unit VARCHAR NOT NULL, day DATE NOT NULL, number DOUBLE NOT NULL,
  promql VARCHAR NOT NULL, timezone VARCHAR NOT NULL
);
"""

MIGRATIONS: Final[tuple[str, ...]] = (
    _CREATE,
    _ADD_USAGE,
    _ADD_TAGS,
    _ADD_SAID,
    _ADD_REMOTE_WRITE,
    _ADD_PERIOD_END,
    _ADD_INVOICE_PARTS,
    _ADD_COUNTED_FROM,
    _NAME_LABELS_BY_PLACE,
    _ADD_LIST_PRICES,
    _ADD_UNIT_COUNTS,
)
"""MIGRATIONS[n] takes a ledger from version n to n + 1; version 0 is an empty file."""

SCHEMA_VERSION: Final = len(MIGRATIONS)


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the schema version of the open ledger; 0 where it is empty."""
    has_settings = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'setting' AND NOT temporary"
    ).fetchall()[0][0]
    if not has_settings:
        return 0
    rows = connection.execute("SELECT value FROM setting WHERE name = 'schema_version'").fetchall()
    return int(rows[0][0]) if rows else 0


def migrate(connection: duckdb.DuckDBPyConnection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Upgrade an older ledger to the newest version, all steps or none."""
    found = version_of(connection)
    if found == len(migrations):
        return
    connection.execute("BEGIN")
    try:
        for step in migrations[found:]:
            connection.execute(step)
        connection.execute("DELETE FROM setting WHERE name = 'schema_version'")
        connection.execute("INSERT INTO setting VALUES ('schema_version', ?)", [str(len(migrations))])
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
