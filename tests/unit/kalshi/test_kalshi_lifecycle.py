"""What happens to markets and fees besides their books: heard on the same connection, applied, never believed twice."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.kalshi_feed.core import after_news
from services.kalshi_feed.fee_terms import FeeTerms
from services.kalshi_feed.trading import TradingState
from shared.domain.fees import KalshiFees
from shared.domain.market import MarketStatus
from shared.venues.kalshi import fee_changes
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.events import AuditDiffered, BookChanged, BooksLost
from shared.venues.kalshi.exchange import ExchangeStatus, ShardStatus
from shared.venues.kalshi.lifecycle import EventFees, LifecycleMissed, MarketNews, read_lifecycle
from shared.venues.kalshi.schema import RestEvent, RestSeries
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import (
    A,
    B,
    actions,
    commands,
    delta,
    encoded,
    feed,
    levels,
    snapshot,
    streaming,
    subscribed,
)
from tests.unit.kalshi.test_kalshi_feed_parts import market

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000


def life(event_type: str, seq: int = 1, *, sid: int = 2, ticker: str = A, **body: Any) -> bytes:
    msg = {"event_type": event_type, "market_ticker": ticker, **body}
    return encoded({"type": "market_lifecycle_v2", "sid": sid, "seq": seq, "msg": msg})


def fee_update(fee_type: str | None, multiplier: float | None, *, seq: int = 1) -> bytes:
    msg = {"event_ticker": "E", "fee_type_override": fee_type, "fee_multiplier_override": multiplier}
    return encoded({"type": "event_fee_update", "sid": 2, "seq": seq, "msg": msg})


def listening() -> KalshiSession:
    session = KalshiSession([A], lifecycle=True)
    session.connected(0)
    assert [command["params"]["channels"] for command in commands(session)] == [
        ["orderbook_delta"],
        ["market_lifecycle_v2"],
    ]
    feed(session, subscribed(), subscribed(2, command=2, channel="market_lifecycle_v2"))
    return session


def test_a_settlement_arrives_beside_the_books() -> None:
    session = listening()
    feed(session, snapshot(1, A, yes=[("0.4000", "1.00")]))
    [news] = feed(session, life("settled", settled_ts=1))
    assert isinstance(news, MarketNews)
    assert (news.market_id, news.happening) == (A, "settled")
    assert levels(session) is not None


def test_messages_before_the_acknowledgement_count_and_do_not_reset_the_sequence() -> None:
    session = KalshiSession([A], lifecycle=True)
    session.connected(0)
    events = feed(
        session, life("created", 1), subscribed(2, command=2, channel="market_lifecycle_v2"), life("settled", 2)
    )
    assert [event.happening for event in events if isinstance(event, MarketNews)] == ["created", "settled"]
    assert session.counts.gaps == 0


def test_missing_lifecycle_messages_are_said_and_cost_no_book() -> None:
    session = listening()
    feed(session, snapshot(1, A, yes=[("0.4000", "1.00")]), life("created", 1))
    events = feed(session, life("created", 4))
    assert [type(event) for event in events] == [LifecycleMissed, MarketNews]
    assert levels(session) is not None


def test_a_refused_lifecycle_channel_costs_no_book() -> None:
    session = KalshiSession([A], lifecycle=True)
    session.connected(0)
    events = feed(session, subscribed(), encoded({"id": 2, "type": "error", "msg": {"code": 8, "msg": "Unknown"}}))
    assert [type(event) for event in events] == [LifecycleMissed]
    assert feed(session, snapshot(1, A)) == [BookChanged(A)]


def test_fee_news_is_read_with_its_number_as_text() -> None:
    news = read_lifecycle(fee_update("quadratic", 0.5))
    assert news == EventFees(event_id="E", fee_type="quadratic", multiplier=msgspec.Raw(b"0.5"))
    with pytest.raises(ValueError, match="1e3"):
        read_lifecycle(fee_update("quadratic", 0.5).replace(b"0.5", b"1e3"))


def test_a_streamed_book_is_compared_with_a_snapshot_in_its_place_of_the_sequence() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A, yes=[("0.4700", "1.00")]), snapshot(2, B))
    assert session.audit(1) == 1
    assert actions(session) == [("get_snapshot", [A])]
    assert session.audit(1) == 0, "one comparison at a time"
    events = feed(session, delta(3, A), snapshot(4, A, yes=[("0.4700", "2.00")], command=2))
    assert AuditDiffered not in [type(event) for event in events]
    assert (session.counts.audited, session.counts.audit_differed) == (1, 0)
    session.audit(1)
    assert actions(session) == [("get_snapshot", [B])], "the books take turns"


def test_a_book_that_differs_from_its_snapshot_is_replaced_and_counted() -> None:
    session = streaming()
    feed(session, snapshot(1, A, yes=[("0.4700", "1.00"), ("0.4600", "1.00")]))
    session.audit(3)
    events = feed(session, snapshot(2, A, yes=[("0.4700", "1.50")], command=2))
    assert AuditDiffered(A, 2) in events
    assert levels(session) == ([("0.47", "1.5")], [])
    assert session.counts.audit_differed == 1


def test_a_book_that_nobody_confirms_is_believed_no_more() -> None:
    session = streaming()
    feed(session, snapshot(1, A, yes=[("0.4700", "1.00")]))
    session.audit(1)
    session.data_to_send()
    [lost] = session.tick(6_000_000_000)
    assert isinstance(lost, BooksLost)
    assert levels(session) is None
    assert actions(session) == [("get_snapshot", [A])]


def closing_in(*, minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def news(happening: Any, **fields: Any) -> MarketNews:
    return MarketNews(market_id=A, happening=happening, **fields)


def test_a_halt_outlasts_a_listing_that_was_read_before_it() -> None:
    state = TradingState()
    assert state.heard(news("deactivated"), NOW_MS)
    assert state.listed([market(A)], read_ms=NOW_MS - 1) == []
    assert state.why_not(A) == "the exchange has halted the market"
    assert state.listed([market(A)], read_ms=NOW_MS + 1) == [A]
    assert state.why_not(A) is None


def test_a_settled_market_never_comes_back() -> None:
    state = TradingState()
    state.heard(news("settled"), NOW_MS)
    assert not state.heard(news("activated"), NOW_MS + 1)
    assert state.listed([market(A)], read_ms=NOW_MS + 2) == []
    assert state.why_not(A) == "the exchange has settled the market"


def test_a_market_closes_by_time_without_a_message_unless_the_time_was_moved() -> None:
    state = TradingState()
    state.listed([market(A, close_time=NOW + timedelta(seconds=5))], read_ms=NOW_MS)
    assert state.due(NOW_MS + 4_999) == []
    state.heard(news("close_date_updated", close_ts_s=NOW_MS // 1000 + 60), NOW_MS + 4_999)
    assert state.due(NOW_MS + 5_000) == []
    assert state.due(NOW_MS + 60_000) == [A]
    assert state.why_not(A) == "the market's time to close has come"


def test_a_closing_time_in_the_past_does_not_overrule_an_open_status() -> None:
    state = TradingState()
    state.listed([market(A, close_time=NOW - timedelta(days=1))], read_ms=NOW_MS)
    assert state.due(NOW_MS) == []
    assert state.why_not(A) is None


def test_a_later_closing_time_lifts_no_halt_but_that_of_the_time_itself() -> None:
    state = TradingState()
    state.heard(news("deactivated"), NOW_MS)
    state.heard(news("close_date_updated", close_ts_s=NOW_MS // 1000 + 60), NOW_MS + 1)
    assert state.why_not(A) == "the exchange has halted the market"
    state.heard(news("activated"), NOW_MS + 2)
    assert state.due(NOW_MS + 60_000) == [A]
    assert state.heard(news("close_date_updated", close_ts_s=NOW_MS // 1000 + 120), NOW_MS + 60_001)
    assert state.why_not(A) is None


def test_a_pause_of_the_exchange_or_of_one_shard_withdraws_its_markets() -> None:
    state = TradingState()
    state.listed([market(A), market(B, exchange_index=2)], read_ms=NOW_MS)
    shards = [ShardStatus(0, True, True), ShardStatus(2, True, False)]
    one = ExchangeStatus(exchange_active=True, trading_active=True, exchange_index_statuses=shards)
    assert state.exchange(one, [A, B]) == [B]
    assert state.exchange(ExchangeStatus(exchange_active=True, trading_active=False), [A, B]) == [A]
    assert state.why_not(A) == "the exchange is paused"
    assert sorted(state.exchange(ExchangeStatus(exchange_active=True, trading_active=True), [A, B])) == [A, B]


def test_the_catalog_follows_the_news() -> None:
    assert after_news(market(A), news("deactivated")).status is MarketStatus.PAUSED
    moved = after_news(market(A), news("close_date_updated", close_ts_s=NOW_MS // 1000))
    assert moved.close_time == NOW
    assert after_news(market(A), news("created")) == market(A)


SERIES = {"S": RestSeries(ticker="S", fee_type="quadratic", fee_multiplier=msgspec.Raw(b"1"))}


def terms() -> FeeTerms:
    found = FeeTerms(Decimal("0.0001"))
    found.listed([RestEvent(event_ticker="E", series_ticker="S"), RestEvent(event_ticker="F", series_ticker="S")])
    return found


def multiplier(found: FeeTerms, event: str, series: dict[str, RestSeries]) -> Decimal | None:
    fees = found.fees(event, series, read_on=date(2026, 11, 21))
    return fees.multiplier if isinstance(fees, KalshiFees) else None


def test_an_override_holds_until_it_is_taken_back() -> None:
    found = terms()
    found.overridden(EventFees(event_id="E", fee_type=None, multiplier=msgspec.Raw(b"0.5")))
    assert multiplier(found, "E", SERIES) == Decimal("0.5")
    assert multiplier(found, "F", SERIES) == 1
    found.overridden(EventFees(event_id="E", fee_type=None, multiplier=msgspec.Raw(b"null")))
    assert multiplier(found, "E", SERIES) == 1


def test_a_planned_change_takes_effect_at_its_time_once() -> None:
    body = msgspec.json.encode(
        {
            "series_fee_change_arr": [
                {"id": "1", "series_ticker": "S", "fee_type": "quadratic", "fee_multiplier": 2,
                 "scheduled_ts": "2026-11-21T19:00:00Z"},
                {"id": "0", "series_ticker": "S", "fee_type": "quadratic", "fee_multiplier": 9,
                 "scheduled_ts": "2026-11-21T17:00:00Z"},
            ]
        }
    )  # fmt: skip
    calendar = fee_changes.FeeCalendar()
    calendar.saw(fee_changes.read_series_fee_changes(body), NOW)
    assert (calendar.planned, calendar.due(NOW)) == (1, [])
    [change] = calendar.due(NOW + timedelta(hours=1))
    calendar.saw(fee_changes.read_series_fee_changes(body), NOW + timedelta(hours=2))
    assert calendar.due(NOW + timedelta(hours=2)) == []
    found, series = terms(), dict(SERIES)
    assert found.changed(change, series) == ["E", "F"]
    assert multiplier(found, "E", series) == 2


def test_a_change_of_an_unknown_fee_type_leaves_the_market_without_fees() -> None:
    found, series = terms(), dict(SERIES)
    change = fee_changes.SeriesFeeChange(
        id="1", series_ticker="S", fee_type="cubic", fee_multiplier=msgspec.Raw(b"1"), scheduled_ts=NOW
    )
    found.changed(change, series)
    assert found.fees("E", series, read_on=date(2026, 11, 21)) is None


def test_pages_of_planned_changes_are_read_by_name() -> None:
    event = {"id": "1", "event_ticker": "E", "series_ticker": "S", "fee_type_override": None,
             "fee_multiplier_override": 0, "scheduled_ts": "2026-11-21T19:00:00Z"}  # fmt: skip
    read = fee_changes.read_event_fee_changes(msgspec.json.encode({"event_fee_changes": [event], "cursor": "c"}))
    assert (read.cursor, bytes(read.changes[0].fee_multiplier_override)) == ("c", b"0")
    with pytest.raises(BodyRefused, match="series/fee_changes"):
        fee_changes.read_series_fee_changes(b"<html>")
