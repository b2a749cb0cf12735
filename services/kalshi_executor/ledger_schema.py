"""The ledger's tables. Amounts are decimal text; times are Unix nanoseconds of our clock."""

SCHEMA_VERSION = 1

_TERMINAL = "('filled', 'canceled', 'expired', 'rejected', 'not_placed')"

SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE intents (
    intent_id TEXT PRIMARY KEY,
    opportunity_id TEXT NOT NULL,
    pair_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'refused')),
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    wire_ts_ns INTEGER NOT NULL,
    read_ts_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_by_opportunity ON intents (opportunity_id) WHERE verdict = 'approved';
CREATE INDEX intents_by_pair ON intents (pair_id, read_ts_ns) WHERE verdict = 'approved';

CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY,
    intent_id TEXT NOT NULL REFERENCES intents (intent_id),
    leg TEXT NOT NULL,
    market_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    state TEXT NOT NULL,
    body BLOB NOT NULL,
    reserved_dollars TEXT NOT NULL,
    journaled_ts_ns INTEGER NOT NULL,
    UNIQUE (intent_id, leg)
) STRICT;
CREATE UNIQUE INDEX one_open_order_per_market_side ON orders (market_id, outcome) WHERE state NOT IN {_TERMINAL};
CREATE INDEX orders_by_time ON orders (journaled_ts_ns);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    happened_ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    published INTEGER NOT NULL DEFAULT 0 CHECK (published IN (0, 1))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (seq) WHERE published = 0;
"""
"""``events`` is chained: each hash covers the one before it, so that a changed or missing row shows."""
