"""The ledger keeps what was decided, refuses to be shared or changed, and tells it in order."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.kalshi_executor.core import done, journaled, planned_order, refused
from services.kalshi_executor.ledger import Ledger, LedgerHeld, LedgerRefused, digest
from shared.contracts.executions import IntentRefused, OrderDone, OrderJournaled
from shared.contracts.intents import HedgedIntent
from shared.domain.orders import Fill, Order, OrderState, after_ioc, moved
from shared.domain.risk import ApprovedIntent, Refusal, approve
from shared.domain.risk_terms import RefusalReason, Usage
from shared.runtime.errors import StartRefused
from tests.unit.kalshi_executor.builders import NOW_NS, context, intent

IDENTITY = {"account": "main", "environment": "demo", "mode": "dry"}
DAY_NS = 86_400_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path, **IDENTITY) as ledger:
        yield ledger


def numbered(number: int, **changes: Any) -> HedgedIntent:
    return intent(intent_id=f"i{number}", opportunity_id=f"o{number}", **changes)


def journal(ledger: Ledger, meant: HedgedIntent, *, at_ns: int = NOW_NS) -> Order:
    approved = approve(meant, context())
    assert isinstance(approved, ApprovedIntent)
    order = planned_order(approved, ledger_uuid=ledger.uuid, environment="demo")
    ledger.journal(meant, order, journaled(meant, order, mode="dry", now_ns=at_ns), read_ts_ns=at_ns)
    return order


def finish(ledger: Ledger, meant: HedgedIntent, order: Order, *, filled: int, at_ns: int = NOW_NS) -> None:
    sending = moved(order, OrderState.SENDING)
    ledger.update(sending, happened_ts_ns=at_ns)
    fills = [Fill(trade_id="t", price_dollars=Decimal("0.42"), contracts=Decimal(filled), fee_dollars=Decimal(1))]
    ended = after_ioc(sending, fills if filled else [])
    ledger.update(ended, happened_ts_ns=at_ns, message=done(meant, ended, mode="dry", now_ns=at_ns, read_ts_ns=at_ns))


def refuse(ledger: Ledger, meant: HedgedIntent, *, take_id: bool = True) -> None:
    refusal = Refusal(RefusalReason.KILLED, "x")
    message = refused(meant, refusal, mode="dry", now_ns=NOW_NS)
    ledger.refuse(meant, refusal, message, read_ts_ns=NOW_NS, take_id=take_id)


def test_it_commits_to_the_disk_before_it_returns(ledger: Ledger) -> None:
    assert ledger._one("PRAGMA journal_mode") == ("wal",)
    assert ledger._one("PRAGMA synchronous") == (2,)


def test_what_it_says_is_numbered_in_order_and_stays_until_it_is_published(path: Path) -> None:
    with Ledger(path, **IDENTITY) as ledger:
        meant = numbered(1)
        order = journal(ledger, meant)
        finish(ledger, meant, order, filled=40)
        refuse(ledger, numbered(2))
        ledger.mark_published(1)
        uuid = ledger.uuid
    with Ledger(path, **IDENTITY) as again:
        waiting = again.unpublished(10)
        assert again.uuid == uuid
        assert [(type(message), message.ledger_seq) for message in waiting] == [(OrderDone, 2), (IntentRefused, 3)]
        again.mark_published(3)
        refuse(again, numbered(3))
        assert [message.ledger_seq for message in again.unpublished(10)] == [4]


def test_an_intent_is_known_by_its_id_and_told_apart_by_its_contents(ledger: Ledger) -> None:
    assert ledger.digest_of("i1") is None
    refuse(ledger, numbered(1))
    assert ledger.digest_of("i1") == digest(numbered(1))
    assert ledger.digest_of("i1") != digest(numbered(1, wire_ts_ns=5))
    moved_on_stream = msgspec.structs.replace(numbered(1), src="x", epoch="y", pseq=9)
    assert ledger.digest_of("i1") == digest(moved_on_stream)


def test_a_forged_intent_leaves_its_id_free(ledger: Ledger) -> None:
    refuse(ledger, numbered(1), take_id=False)
    assert ledger.digest_of("i1") is None
    assert isinstance(ledger.unpublished(1)[0], IntentRefused)


def test_the_same_intent_cannot_be_journaled_twice(ledger: Ledger) -> None:
    journal(ledger, numbered(1))
    with pytest.raises(sqlite3.IntegrityError):
        journal(ledger, numbered(1))
    assert [type(message) for message in ledger.unpublished(10)] == [OrderJournaled]


def test_one_market_side_has_one_open_order_at_most(ledger: Ledger) -> None:
    first = numbered(1)
    order = journal(ledger, first)
    with pytest.raises(sqlite3.IntegrityError):
        journal(ledger, numbered(2))
    finish(ledger, first, order, filled=0)
    journal(ledger, numbered(2))
    assert [open_order.intent_id for open_order, _ in ledger.open_orders()] == ["i2"]


def test_usage_counts_open_orders_at_their_most_and_done_ones_at_what_they_took(ledger: Ledger) -> None:
    meant = numbered(1)
    assert ledger.usage(numbered(2), NOW_NS) == Usage()
    order = journal(ledger, meant)
    at_most = Decimal("44.8")  # 100 at 0.43 and 1.80 in fees
    assert ledger.usage(numbered(2), NOW_NS + 5_000_000) == Usage(
        market_dollars=at_most, day_dollars=at_most, pair_rested_ms=5, market_busy=True, orders_last_minute=1
    )
    finish(ledger, meant, order, filled=40)
    taken = Decimal("17.8")  # 40 at 0.42 and 1 in fees
    assert ledger.usage(numbered(1), NOW_NS + 60_000_000_000) == Usage(
        market_dollars=taken, day_dollars=taken, opportunity_seen=True, pair_rested_ms=60_000
    )
    other = ledger.usage(numbered(2, kalshi={"market_id": "OTHER"}, pair_id="other"), NOW_NS)
    assert (other.market_dollars, other.day_dollars, other.pair_rested_ms) == (Decimal(0), taken, None)


def test_a_new_utc_day_starts_from_nothing_and_a_restart_does_not(path: Path) -> None:
    midnight_ns = NOW_NS - NOW_NS % DAY_NS + DAY_NS
    with Ledger(path, **IDENTITY) as ledger:
        meant = numbered(1)
        finish(ledger, meant, journal(ledger, meant, at_ns=midnight_ns - 1), filled=40, at_ns=midnight_ns - 1)
    with Ledger(path, **IDENTITY) as again:
        assert again.usage(numbered(2), midnight_ns - 1).day_dollars == Decimal("17.8")
        assert again.usage(numbered(2), midnight_ns).day_dollars == 0


def test_a_refused_intent_uses_up_nothing(ledger: Ledger) -> None:
    refuse(ledger, numbered(1))
    assert ledger.usage(numbered(1), NOW_NS) == Usage()


def test_a_second_holder_is_refused_until_the_first_lets_go(path: Path) -> None:
    with Ledger(path, **IDENTITY), pytest.raises(LedgerHeld) as held:
        Ledger(path, **IDENTITY)
    assert held.value.exit_status == 3
    Ledger(path, **IDENTITY).close()


@pytest.mark.parametrize(("name", "value"), [("account", "other"), ("environment", "prod"), ("mode", "live")])
def test_a_ledger_belongs_to_one_account_environment_and_mode(path: Path, name: str, value: str) -> None:
    Ledger(path, **IDENTITY).close()
    with pytest.raises(LedgerRefused, match=f"is for {name} {IDENTITY[name]}, not {value}"):
        Ledger(path, **{**IDENTITY, name: value})


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE events SET body = replace(body, '0.43', '0.44') WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE events SET happened_ts_ns = happened_ts_ns + 1 WHERE seq = 3",
        "DELETE FROM events WHERE seq = 1",
    ],
)
def test_a_changed_or_missing_event_is_seen_at_the_next_start(path: Path, tampering: str) -> None:
    with Ledger(path, **IDENTITY) as ledger:
        meant = numbered(1)
        finish(ledger, meant, journal(ledger, meant), filled=40)
    db = sqlite3.connect(path)
    with db:
        assert (
            db.execute(
                tampering.replace("replace(body", "CAST(replace(CAST(body AS TEXT)").replace(
                    "'0.44')", "'0.44') AS BLOB)"
                )
            ).rowcount
            == 1
        )
    db.close()
    with pytest.raises(LedgerRefused, match="was changed at event"):
        Ledger(path, **IDENTITY)


def test_a_damaged_file_is_refused_and_let_go(path: Path) -> None:
    with Ledger(path, **IDENTITY) as ledger:
        for number in range(50):
            refuse(ledger, numbered(number))
    raw = bytearray(path.read_bytes())
    raw[4_096:40_960] = b"\x5a" * 36_864
    path.write_bytes(raw)
    for _ in range(2):
        with pytest.raises(LedgerRefused, match=r"damaged|cannot be read"):
            Ledger(path, **IDENTITY)


def test_a_file_that_is_no_ledger_is_refused(path: Path) -> None:
    path.write_bytes(b"this is not a database, however long it is" * 100)
    with pytest.raises(LedgerRefused, match="cannot be read"):
        Ledger(path, **IDENTITY)


def test_a_ledger_of_another_version_is_refused(path: Path) -> None:
    Ledger(path, **IDENTITY).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(LedgerRefused, match="version 9"):
        Ledger(path, **IDENTITY)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="nowhere"):
        Ledger(tmp_path / "nowhere" / "ledger", **IDENTITY)


def test_a_step_that_fails_half_way_leaves_nothing_of_it(ledger: Ledger) -> None:
    journal(ledger, numbered(1))
    ledger.mark_published(1)
    with pytest.raises(sqlite3.IntegrityError):
        journal(ledger, numbered(2))
    assert ledger.digest_of("i2") is None
    assert ledger.unpublished(10) == []


def everything_but_the_outbox(ledger: Ledger) -> list[Any]:
    return [
        ledger._db.execute(f"SELECT * FROM {table}").fetchall() for table in ("meta", "intents", "orders", "events")
    ]


def kept(ledger: Ledger) -> list[int]:
    return [seq for (seq,) in ledger._db.execute("SELECT seq FROM outbox ORDER BY seq")]


def test_old_messages_that_the_stream_holds_are_dropped_and_nothing_else(path: Path) -> None:
    with Ledger(path, **IDENTITY) as ledger:
        for number in range(1, 6):
            meant = numbered(number, pair_id=f"p{number}")
            finish(ledger, meant, journal(ledger, meant, at_ns=NOW_NS + number * DAY_NS), filled=1, at_ns=NOW_NS)
        before = everything_but_the_outbox(ledger)
        assert ledger.forget_published(NOW_NS + 9 * DAY_NS, 100) == 0, "the stream holds nothing yet"
        ledger.mark_published(8)
        assert ledger.forget_published(NOW_NS + 2 * DAY_NS, 100) == 2, "up to the first that is younger"
        assert ledger.forget_published(NOW_NS + 9 * DAY_NS, 3) == 3, "a few at a time"
        assert kept(ledger) == [6, 7, 8, 9, 10]
        assert ledger.forget_published(NOW_NS + 9 * DAY_NS, 100) == 3
        assert [message.ledger_seq for message in ledger.unpublished(10)] == [9, 10]
        ledger.mark_published(10)
        assert ledger.forget_published(NOW_NS + 9 * DAY_NS, 100) == 1
        assert kept(ledger) == [10], "the next one is numbered after the newest"
        assert everything_but_the_outbox(ledger) == before
    with Ledger(path, **IDENTITY) as again:
        refuse(again, numbered(9))
        assert [message.ledger_seq for message in again.unpublished(10)] == [11]


def test_what_the_stream_refuses_is_noted_for_good_and_waits_no_more(path: Path) -> None:
    with Ledger(path, **IDENTITY) as ledger:
        journal(ledger, numbered(1))
        refuse(ledger, numbered(2))
        ledger.set_aside(1, "WRONGTYPE x", happened_ts_ns=NOW_NS)
        assert [message.ledger_seq for message in ledger.unpublished(10)] == [2]
        assert ledger.forget_published(NOW_NS + DAY_NS, 10) == 1
    with Ledger(path, **IDENTITY) as again:  # the chain of events is whole
        [(kind, body)] = again._db.execute("SELECT kind, body FROM events ORDER BY seq DESC LIMIT 1").fetchall()
    assert kind == "execution_set_aside"
    assert msgspec.json.decode(body) == {"ledger_seq": 1, "reason": "WRONGTYPE x"}
