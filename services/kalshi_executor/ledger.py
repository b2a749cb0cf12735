"""The order ledger: what was decided, what may have left and what came of it, on disk before anything acts on it.

SQLite in WAL mode with ``synchronous=FULL``: a commit that returned survives a power cut. One process holds the file
(``flock``) and one thread writes it. Every step is one transaction that also appends to the chained events and to the
outbox, from which the executions stream is fed.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import msgspec

from services.kalshi_executor.ledger_schema import SCHEMA, SCHEMA_VERSION
from shared.contracts.executions import ExecutionMessage
from shared.contracts.intents import HedgedIntent
from shared.domain.orders import Order, OrderState
from shared.domain.risk import Refusal
from shared.domain.risk_terms import Usage
from shared.runtime.errors import Halted, StartRefused

_NS_PER_MS = 1_000_000
_NS_PER_MINUTE = 60_000 * _NS_PER_MS
_NS_PER_DAY = 86_400_000 * _NS_PER_MS

_EXECUTIONS = msgspec.json.Decoder(ExecutionMessage)
_INTENTS = msgspec.json.Decoder(HedgedIntent)
_ORDERS = msgspec.json.Decoder(Order)
_encode = msgspec.json.Encoder(order="deterministic").encode


class LedgerHeld(Halted):
    """Another executor has the ledger."""


class LedgerRefused(Halted):
    """The ledger is damaged, of another version, or belongs to another account, environment or mode."""


class Ledger:
    """One open ledger. Use it as a context manager, from one thread at a time."""

    def __init__(self, path: Path, *, account: str, environment: str, mode: str) -> None:
        """Open the ledger, or make one. Raises LedgerHeld, LedgerRefused or StartRefused."""
        try:
            self._lock = path.with_name(f"{path.name}.lock").open("w")
        except OSError as error:
            raise StartRefused(f"cannot open the ledger {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise LedgerHeld(f"another executor holds the ledger {path}; stop it first") from None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
            try:
                self.uuid = self._open(path, {"account": account, "environment": environment, "mode": mode})
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            self._lock.close()
            raise LedgerRefused(f"the ledger {path} cannot be read ({error}); put it aside and look at it") from None
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._db.close()
        self._lock.close()

    def digest_of(self, intent_id: str) -> str | None:
        """Return the digest of the intent that was decided under this id, None when there was none."""
        row = self._one("SELECT digest FROM intents WHERE intent_id = ?", intent_id)
        return None if row is None else str(row[0])

    def usage(self, intent: HedgedIntent, now_ns: int) -> Usage:
        """Return what was done before, as far as it limits this intent."""
        leg = intent.legs[0]
        today = self._db.execute(
            "SELECT market_id, reserved_dollars FROM orders WHERE journaled_ts_ns >= ?",
            (now_ns - now_ns % _NS_PER_DAY,),
        ).fetchall()
        seen = self._one(
            "SELECT 1 FROM intents WHERE opportunity_id = ? AND verdict = 'approved'", intent.opportunity_id
        )
        last = self._one(
            "SELECT max(read_ts_ns) FROM intents WHERE pair_id = ? AND verdict = 'approved'", intent.pair_id
        )
        busy = self._one(
            "SELECT 1 FROM orders WHERE market_id = ? AND outcome = ? AND state NOT IN"
            " ('filled', 'canceled', 'expired', 'rejected', 'not_placed')",
            leg.market_id,
            leg.outcome,
        )
        minute = self._one("SELECT count(*) FROM orders WHERE journaled_ts_ns > ?", now_ns - _NS_PER_MINUTE)
        assert last is not None
        assert minute is not None
        return Usage(
            market_dollars=sum((Decimal(text) for market, text in today if market == leg.market_id), Decimal(0)),
            day_dollars=sum((Decimal(text) for _, text in today), Decimal(0)),
            opportunity_seen=seen is not None,
            pair_rested_ms=None if last[0] is None else (now_ns - last[0]) // _NS_PER_MS,
            market_busy=busy is not None,
            orders_last_minute=minute[0],
        )

    def refuse(
        self, intent: HedgedIntent, refusal: Refusal, message: ExecutionMessage, *, read_ts_ns: int, take_id: bool
    ) -> None:
        """Remember that an intent was refused, and say so.

        ``take_id`` is False for a forged intent, so that it cannot use up the id of a true one.
        """
        with self._transaction():
            if take_id:
                self._add_intent(intent, "refused", refusal.reason.value, refusal.detail, read_ts_ns)
            self._event(read_ts_ns, "intent_refused", {"intent_id": intent.intent_id, "reason": refusal.reason.value})
            self._say(message)

    def journal(self, intent: HedgedIntent, order: Order, message: ExecutionMessage, *, read_ts_ns: int) -> None:
        """Remember an approved intent and its order, from which nothing has left."""
        assert order.state is OrderState.JOURNALED, order.state
        with self._transaction():
            self._add_intent(intent, "approved", "", _hedge_note(intent), read_ts_ns)
            self._db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    order.client_order_id,
                    order.intent_id,
                    order.leg,
                    order.market_id,
                    order.outcome,
                    order.state.value,
                    _encode(order),
                    _reserved_text(order),
                    message.happened_ts_ns,
                ),
            )
            self._event(message.happened_ts_ns, "order_journaled", order)
            self._say(message)

    def update(self, order: Order, *, happened_ts_ns: int, message: ExecutionMessage | None = None) -> None:
        """Remember an order's next state, and say so when there is something to say."""
        with self._transaction():
            self._db.execute(
                "UPDATE orders SET state = ?, body = ?, reserved_dollars = ? WHERE client_order_id = ?",
                (order.state.value, _encode(order), _reserved_text(order), order.client_order_id),
            )
            self._event(happened_ts_ns, f"order_{order.state.value}", order)
            if message is not None:
                self._say(message)

    def open_orders(self) -> list[tuple[Order, HedgedIntent]]:
        """Return the orders that are not done, oldest first, each with its intent."""
        rows = self._db.execute(
            "SELECT orders.body, intents.body FROM orders JOIN intents USING (intent_id) WHERE state NOT IN"
            " ('filled', 'canceled', 'expired', 'rejected', 'not_placed') ORDER BY journaled_ts_ns"
        )
        return [(_ORDERS.decode(order), _INTENTS.decode(intent)) for order, intent in rows]

    def unpublished(self, count: int) -> list[ExecutionMessage]:
        """Return what the executions stream has not been told yet, in order."""
        rows = self._db.execute("SELECT body FROM outbox WHERE published = 0 ORDER BY seq LIMIT ?", (count,))
        return [_EXECUTIONS.decode(body) for (body,) in rows]

    def mark_published(self, up_to_seq: int) -> None:
        """Remember that the stream holds everything up to and with this ``ledger_seq``."""
        with self._transaction():
            self._db.execute("UPDATE outbox SET published = 1 WHERE published = 0 AND seq <= ?", (up_to_seq,))

    def set_aside(self, ledger_seq: int, reason: str, *, happened_ts_ns: int) -> None:
        """Remember for good that the stream refused one message, so that the others need not wait for it."""
        with self._transaction():
            self._event(happened_ts_ns, "execution_set_aside", {"ledger_seq": ledger_seq, "reason": reason})
            self._db.execute("UPDATE outbox SET published = 1 WHERE seq = ?", (ledger_seq,))

    def forget_published(self, before_ns: int, count: int) -> int:
        """Drop the oldest messages that the stream holds and that are older, ``count`` at most; return how many.

        The newest message stays whatever its age, because the next one is numbered after it; what waits is not touched,
        nor is anything else: intents, orders and events are kept for ever.
        """
        rows = self._db.execute(
            "SELECT seq, body FROM outbox WHERE published = 1 AND seq < (SELECT max(seq) FROM outbox) AND seq <"
            " (SELECT coalesce(min(seq), 9223372036854775807) FROM outbox WHERE published = 0) ORDER BY seq LIMIT ?",
            (count,),
        )
        old = [seq for seq, _ in takewhile(lambda row: _EXECUTIONS.decode(row[1]).happened_ts_ns < before_ns, rows)]
        if old:
            with self._transaction():
                self._db.execute("DELETE FROM outbox WHERE published = 1 AND seq BETWEEN ? AND ?", (old[0], old[-1]))
        return len(old)

    def _open(self, path: Path, identity: dict[str, str]) -> str:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        found = self._one("PRAGMA quick_check")
        if found is None or found[0] != "ok":
            raise LedgerRefused(f"the ledger {path} is damaged ({found}); put it aside and look at it")
        version = self._one("PRAGMA user_version")
        assert version is not None
        if version[0] == 0:
            self._make(identity)
        elif version[0] != SCHEMA_VERSION:
            raise LedgerRefused(f"the ledger {path} is of version {version[0]}, this executor knows {SCHEMA_VERSION}")
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        for name, value in identity.items():
            if meta.get(name) != value:
                raise LedgerRefused(f"the ledger {path} is for {name} {meta.get(name)}, not {value}; name another file")
        self._check_chain(path)
        return str(meta["uuid"])

    def _make(self, identity: dict[str, str]) -> None:
        # One transaction: a crash in the middle leaves an empty file, which is made again.
        statements = (statement for statement in SCHEMA.split(";") if statement.strip())
        with self._transaction():
            for statement in statements:
                self._db.execute(statement)
            for name, value in {**identity, "uuid": str(uuid4())}.items():
                self._db.execute("INSERT INTO meta VALUES (?, ?)", (name, value))
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _check_chain(self, path: Path) -> None:
        expected_seq, before = 1, ""
        for seq, happened_ts_ns, kind, body, found in self._db.execute("SELECT * FROM events ORDER BY seq"):
            before = _chained(before, seq, happened_ts_ns, kind, body)
            if seq != expected_seq or found != before:
                raise LedgerRefused(f"the ledger {path} was changed at event {seq}; put it aside and look at it")
            expected_seq += 1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _add_intent(self, intent: HedgedIntent, verdict: str, reason: str, detail: str, read_ts_ns: int) -> None:
        self._db.execute(
            "INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                intent.intent_id,
                intent.opportunity_id,
                intent.pair_id,
                digest(intent),
                _encode(intent),
                verdict,
                reason,
                detail,
                intent.wire_ts_ns,
                read_ts_ns,
            ),
        )

    def _event(self, happened_ts_ns: int, kind: str, body: Any) -> None:
        last = self._one("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1") or (0, "")
        seq, encoded = last[0] + 1, _encode(body)
        chained = _chained(last[1], seq, happened_ts_ns, kind, encoded)
        self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, happened_ts_ns, kind, encoded, chained))

    def _say(self, message: ExecutionMessage) -> None:
        last = self._one("SELECT max(seq) FROM outbox")
        assert last is not None
        numbered = msgspec.structs.replace(message, ledger_seq=(last[0] or 0) + 1)
        self._db.execute("INSERT INTO outbox (seq, body) VALUES (?, ?)", (numbered.ledger_seq, _encode(numbered)))

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
        return row


def digest(intent: HedgedIntent) -> str:
    """Return what tells two intents of the same id apart: a digest of all but their place on the stream."""
    return sha256(_encode(msgspec.structs.replace(intent, src="", epoch="", pseq=0))).hexdigest()


def _chained(before: str, seq: int, happened_ts_ns: int, kind: str, body: bytes) -> str:
    return sha256(f"{before}|{seq}|{happened_ts_ns}|{kind}|".encode() + body).hexdigest()


def _reserved_text(order: Order) -> str:
    """Return what an order takes: at most while it is open, in truth when it is done."""
    if order.is_done:
        return str(order.cost_dollars + order.fee_dollars)
    return str(order.contracts * order.limit_price_dollars + order.max_fee_dollars)


def _hedge_note(intent: HedgedIntent) -> str:
    hedge = intent.legs[1]
    return (
        f"hedge not sent from here: buy {hedge.contracts} {hedge.outcome} of {hedge.venue} {hedge.market_id}"
        f" at {hedge.limit_price_dollars} or better"
    )
