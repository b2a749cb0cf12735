"""Simulated markets and events as Gamma describes them, with the wire types of the recordings.

One object mixes JSON numbers, numbers in strings and JSON arrays in strings; the volume is a string on a market and a
number on an event; a game's start has a space and an offset without minutes (Gamma bodies recorded March to September
2026; field types of polymarket-client 0.14.0, read 2026-11-21). Numbers are ``Decimal``s and must be encoded as JSON
numbers.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

import msgspec

from services.venue_sim.book_hash import MirroredBook
from services.venue_sim.markets import TRADABLE, PolymarketEvent, PolymarketMarket
from services.venue_sim.polymarket_text import DOLLAR_E4, last_price_text, price_text, size_text

Json = dict[str, Any]

FEE_CAP_BPS = 1000
_REBATES = {"sports_fees_v2": Decimal("0.15"), "crypto_fees_v2": Decimal("0.2")}
_OTHER_REBATE = Decimal("0.25")
_NO_ADDRESS = "0x" + "0" * 40


def gamma_market(market: PolymarketMarket, *, updated_ms: int) -> Json:
    """Return a market as it is nested in an event, without the ``events`` key; it last changed at ``updated_ms``."""
    closed = market.status != TRADABLE
    bid_e4, ask_e4 = market.book.best_bid_e4(), market.book.best_ask_e4()
    volume = _contracts(market.volume_e6)
    liquidity = _contracts(sum(size for side in (market.book.bids(), market.book.asks()) for _, size in side))
    body: Json = {
        "id": market.gamma_id,
        "question": market.question,
        "conditionId": market.market_id,
        "slug": market.slug,
        "resolutionSource": market.resolution_source,
        "endDate": _instant(market.end_ts_ms),
        "liquidity": f"{liquidity:f}",
        "startDate": _instant(market.start_ts_ms, fraction=True),
        "description": market.description,
        "outcomes": _text(list(market.outcomes)),
        "outcomePrices": _text(_outcome_prices(market)),
        "volume": f"{volume:f}",
        "active": True,
        "closed": closed,
        "marketMakerAddress": "",
        "createdAt": _instant(market.created_ts_ms, fraction=True),
        "updatedAt": _instant(updated_ms, fraction=True),
        "new": False,
        "featured": False,
        "submitted_by": _NO_ADDRESS,
        "archived": False,
        "resolvedBy": _NO_ADDRESS,
        "restricted": True,
        "groupItemTitle": market.group_item_title,
        "groupItemThreshold": "0",
        "questionID": market.question_id,
        "enableOrderBook": True,
        "orderPriceMinTickSize": _dollars(market.tick_e4),
        "orderMinSize": market.min_contracts_e6 // 1_000_000,
        "volumeNum": volume,
        "liquidityNum": liquidity,
        "endDateIso": _day(market.end_ts_ms),
        "startDateIso": _day(market.start_ts_ms),
        "hasReviewedDates": True,
        "volume24hr": volume,
        "clobTokenIds": _text(list(market.token_ids)),
        "umaBond": "500",
        "umaReward": "5",
        "makerBaseFee": FEE_CAP_BPS,
        "takerBaseFee": FEE_CAP_BPS,
        "acceptingOrders": not closed,
        "negRisk": market.event.neg_risk,
        "negRiskMarketID": market.event.neg_risk_id,
        "negRiskRequestID": _request_id(market) if market.event.neg_risk else "",
        "ready": False,
        "funded": False,
        "acceptingOrdersTimestamp": _instant(market.start_ts_ms),
        "cyom": False,
        "approved": True,
        "automaticallyActive": True,
        "clearBookOnStart": market.game_start_ts_ms is not None,
        "negRiskOther": False,
        "umaResolutionStatuses": "[]",
        "rfqEnabled": False,
        "holdingRewardsEnabled": False,
        "requiresTranslation": False,
        "version": market.version,
        **_tops(bid_e4, ask_e4),
        **_fees(market),
        **_game(market),
    }
    if market.last_price_e4:
        body["lastTradePrice"] = _dollars(market.last_price_e4)
    if closed:
        body["closedTime"] = _spaced(updated_ms)
    if market.version == "v2":
        del body["clobTokenIds"]
        body["positionIds"] = list(market.token_ids)
    if market.winner is not None:
        body["umaResolutionStatus"] = "resolved"
        body["umaResolutionStatuses"] = _text(["proposed", "resolved"])
    return body


def gamma_event(markets: Sequence[PolymarketMarket], updated_ms: Mapping[str, int]) -> Json:
    """Return the event of these markets with them nested; ``updated_ms`` is by Gamma id."""
    rendered = [gamma_market(market, updated_ms=updated_ms[market.gamma_id]) for market in markets]
    return {**event_head(markets[0].event, rendered), "markets": rendered}


def gamma_market_alone(
    market: PolymarketMarket, siblings: Sequence[PolymarketMarket], updated_ms: Mapping[str, int]
) -> Json:
    """Return a market as the market listings give it: its event is inside, without markets."""
    rendered = [gamma_market(sibling, updated_ms=updated_ms[sibling.gamma_id]) for sibling in siblings]
    alone = gamma_market(market, updated_ms=updated_ms[market.gamma_id])
    return {**alone, "events": [event_head(market.event, rendered)]}


def event_head(event: PolymarketEvent, markets: Sequence[Json]) -> Json:
    """Return an event without its markets; sums are taken over ``markets``."""
    closed = all(market["closed"] for market in markets)
    body: Json = {
        "id": event.event_id,
        "ticker": event.slug,
        "slug": event.slug,
        "title": event.title,
        "description": event.description,
        "resolutionSource": "",
        "startDate": min((market["startDate"] for market in markets), default=None),
        "updatedAt": max((market["updatedAt"] for market in markets), default=None),
        "endDate": _instant(event.end_ts_ms),
        "active": True,
        "closed": closed,
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "liquidity": sum((market["liquidityNum"] for market in markets), Decimal(0)),
        "volume": sum((market["volumeNum"] for market in markets), Decimal(0)),
        "openInterest": 0,
        "volume24hr": sum((market["volume24hr"] for market in markets), Decimal(0)),
        "enableOrderBook": True,
        "negRisk": event.neg_risk,
        "enableNegRisk": event.neg_risk,
        "negRiskAugmented": event.neg_risk_augmented,
        "cumulativeMarkets": False,
        "showAllOutcomes": True,
        "tags": [{"id": _tag_id(tag), "label": tag, "slug": tag.lower().replace(" ", "-")} for tag in event.tags],
    }
    if event.neg_risk:
        body["negRiskMarketID"] = event.neg_risk_id
    if event.game_id is not None:
        body["gameId"] = event.game_id
    if event.series_slug:
        body["seriesSlug"] = event.series_slug
        series_id = _tag_id(event.series_slug)
        body["series"] = [{"id": series_id, "slug": event.series_slug, "ticker": event.series_slug}]
    return body


def rest_book(book: MirroredBook, token_id: str, changed_ms: int) -> Json:
    """Return the ten fields of ``GET /book``."""
    token = book.token_ids.index(token_id)
    bids, asks = book.levels_json(token)
    return {
        "market": book.market,
        "asset_id": token_id,
        "timestamp": str(changed_ms),
        "hash": book.hash(token, changed_ms),
        "bids": bids,
        "asks": asks,
        "min_order_size": size_text(book.min_size_e6),
        "tick_size": price_text(book.tick_e4),
        "neg_risk": book.neg_risk,
        "last_trade_price": last_price_text(book.last_price_e4),
    }


def _tops(bid_e4: int | None, ask_e4: int | None) -> Json:
    body: Json = {}
    if bid_e4 is not None:
        body["bestBid"] = _dollars(bid_e4)
    if ask_e4 is not None:
        body["bestAsk"] = _dollars(ask_e4)
    body["spread"] = _dollars((DOLLAR_E4 if ask_e4 is None else ask_e4) - (bid_e4 or 0))
    return body


def _fees(market: PolymarketMarket) -> Json:
    if not market.fee_rate:
        return {"feesEnabled": False, "feeType": None, "feeSchedule": None}
    rebate = _REBATES.get(market.fee_type, _OTHER_REBATE)
    schedule = {"exponent": 1, "rate": _number(market.fee_rate), "takerOnly": True, "rebateRate": rebate}
    return {"feesEnabled": True, "feeType": market.fee_type, "feeSchedule": schedule}


def _game(market: PolymarketMarket) -> Json:
    body: Json = {}
    if market.sports_market_type:
        body["sportsMarketType"] = market.sports_market_type
    if market.line is not None:
        body["line"] = _number(market.line)
    if market.game_start_ts_ms is not None:
        body["gameStartTime"] = _spaced(market.game_start_ts_ms)
    if market.event.game_id is not None:
        body["gameId"] = str(market.event.game_id)
    if market.seconds_delay:
        body["secondsDelay"] = market.seconds_delay
    return body


def _outcome_prices(market: PolymarketMarket) -> list[str]:
    """The display prices: the last trade, else the middle of the book; 1 and 0 once resolved. Never for trading."""
    if market.winner is not None:
        return ["0", "1"] if market.winner else ["1", "0"]
    bid_e4, ask_e4 = market.book.best_bid_e4(), market.book.best_ask_e4()
    middle_e4 = ((bid_e4 or 0) + (DOLLAR_E4 if ask_e4 is None else ask_e4)) // 2
    price_e4 = market.last_price_e4 or middle_e4
    return [price_text(price_e4), price_text(DOLLAR_E4 - price_e4)]


def _text(value: list[str]) -> str:
    """Write a list as Gamma does: JSON in a string, a space after each comma."""
    return "[" + ", ".join(msgspec.json.encode(item).decode() for item in value) + "]"


def _instant(ts_ms: int, *, fraction: bool = False) -> str:
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{ts_ms % 1000:03d}Z" if fraction else "Z")


def _spaced(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}+00"


def _day(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms // 1000, UTC):%Y-%m-%d}"


def _contracts(size_e6: int) -> Decimal:
    return Decimal(size_e6) / 1_000_000


def _dollars(price_e4: int) -> Decimal:
    return Decimal(price_text(price_e4))


def _number(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _tag_id(tag: str) -> str:
    return str(int(sha256(tag.encode()).hexdigest()[:8], 16) % 900_000 + 100_000)


def _request_id(market: PolymarketMarket) -> str:
    return "0x" + sha256(market.question_id.encode()).hexdigest()
