"""Recorded Polymarket objects as a catalog: what was recorded, completed where something must be known.

Markets that came loose get an event of their own; a market of which only frames were recorded gets an object made from
what the frames say (condition id, tokens, tick). A market with frames is listed as trading, whatever an object recorded
at another time says, because the frames show it trading.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from services.venue_sim.polymarket_catalog import Json, LastTrade
from services.venue_sim.polymarket_clob import token_ids
from services.venue_sim.recorded_harvest import Harvest
from services.venue_sim.recorded_polymarket_frames import Recording, final_books

_TRADING = {"active": True, "closed": False, "archived": False, "acceptingOrders": True, "enableOrderBook": True}
_TOKEN_DIGITS = 70
"""Token ids must be long: official clients take short numbers for positions of another protocol."""


class RecordedPolymarket:
    """A ``Catalog`` over recorded objects, with the recordings that can be replayed."""

    def __init__(self, harvest: Harvest, recordings: Sequence[Recording]) -> None:
        self.recordings = tuple(recordings)
        self._markets: dict[str, Json] = dict(harvest.gamma_markets)
        self._owners: dict[str, str] = dict(harvest.event_of_gamma_market)
        self._heads: dict[str, Json] = dict(harvest.gamma_events)
        self.condition_of_row: dict[str, str] = {}
        """For the rows of a matching catalog: condition id by ``poly_id``."""
        self._add_rows(harvest.polymarket_rows)
        self._conditions = {str(m["conditionId"]): gamma_id for gamma_id, m in self._markets.items()}
        self._books = {**harvest.clob_books, **final_books(self.recordings)}
        self._add_recorded()
        self._own_events()
        self._tokens = {token: one for one, market in self._markets.items() for token in token_ids(market)}
        self._slugs = {str(m.get("slug", "")): gamma_id for gamma_id, m in self._markets.items()}
        self._event_slugs = {str(head["slug"]): event_id for event_id, head in self._heads.items()}
        self._members: dict[str, list[str]] = {event_id: [] for event_id in self._heads}
        for gamma_id in self._markets:
            self._members[self._owners[gamma_id]].append(gamma_id)

    # --- the catalog ------------------------------------------------------------------------------------------

    def event_ids(self) -> Sequence[str]:
        """Every event."""
        return list(self._heads)

    def event(self, event_id: str) -> Json | None:
        """One event with its markets."""
        head = self._heads.get(event_id)
        if head is None:
            return None
        return {**head, "markets": [self._markets[gamma_id] for gamma_id in self._members[event_id]]}

    def event_updated_ms(self, event_id: str) -> int:
        """When the recorded event says that it last changed."""
        return _updated_ms(self._heads[event_id])

    def market_updated_ms(self, gamma_id: str) -> int:
        """When the recorded market says that it last changed."""
        return _updated_ms(self._markets[gamma_id])

    def market_ids(self) -> Sequence[str]:
        """Every market."""
        return list(self._markets)

    def market(self, gamma_id: str) -> Json | None:
        """One market with its event's head."""
        market = self._markets.get(gamma_id)
        return None if market is None else {**market, "events": [self._heads[self._owners[gamma_id]]]}

    def event_id_of_slug(self, slug: str) -> str | None:
        """The event with this slug."""
        return self._event_slugs.get(slug)

    def market_id_of(self, *, slug: str = "", condition_id: str = "", token_id: str = "") -> str | None:
        """The market with this slug, condition or token."""
        if slug:
            return self._slugs.get(slug)
        return self._conditions.get(condition_id) if condition_id else self._tokens.get(token_id)

    def book(self, token_id: str) -> Json | None:
        """The book the recordings end with, or the newest one recorded by REST."""
        return self._books.get(token_id)

    def ws_book(self, token_id: str) -> bytes | None:
        """The opening ``book`` of a token without recorded frames, made from its REST book; None without either."""
        book = self._books.get(token_id)
        if book is None or any(token_id in event.token_ids for one in self.recordings for event in one.events):
            return None
        shown = {key: value for key, value in book.items() if key not in ("min_order_size", "neg_risk")}
        return msgspec.json.encode({**shown, "event_type": "book"})

    def last_trade(self, token_id: str) -> LastTrade:
        """The last price of the recorded book; nothing recorded says which side took it."""
        book = self._books.get(token_id)
        price = "" if book is None else str(book.get("last_trade_price", ""))
        return LastTrade(price, "BUY" if price else "")

    # --- completing what was recorded -------------------------------------------------------------------------

    def manifest(self) -> list[Json]:
        """Return one line per market: its identifiers and what there is to stream."""
        framed: dict[str, list[str]] = {}
        for recording in self.recordings:
            for condition in recording.tokens_by_market():
                framed.setdefault(condition, []).append(recording.name)
        lines = []
        for gamma_id, market in self._markets.items():
            tokens = token_ids(market)
            condition = str(market["conditionId"])
            booked = [token for token in tokens if token in self._books]
            line = {"condition_id": condition, "gamma_id": gamma_id, "event_id": self._owners[gamma_id]}
            lines.append(
                {**line, "token_ids": tokens, "recordings": framed.get(condition, []), "tokens_with_book": booked}
            )
        return lines

    def _add_recorded(self) -> None:
        for recording in self.recordings:
            for condition, tokens in recording.tokens_by_market().items():
                gamma_id = self._conditions.get(condition)
                if gamma_id is None:
                    neg_risk = any(self._books[token]["neg_risk"] for token in tokens if token in self._books)
                    made = _made_market(condition, tokens, _tick_of(recording, condition), neg_risk=neg_risk)
                    gamma_id = self._conditions[condition] = made["id"]
                    self._markets[gamma_id] = made
                self._markets[gamma_id] = {**self._markets[gamma_id], **_TRADING}
                owner = self._owners.get(gamma_id, "")
                if owner in self._heads:
                    self._heads[owner] = {**self._heads[owner], "active": True, "closed": False, "archived": False}

    def _add_rows(self, rows: Iterable[Json]) -> None:
        for row in rows:
            market, head = _market_of_row(row)
            gamma_id = market["id"]
            self.condition_of_row.setdefault(row["poly_id"], market["conditionId"])
            if gamma_id in self._markets:
                continue
            self._markets[gamma_id] = market
            self._owners[gamma_id] = head["id"]
            self._heads.setdefault(head["id"], head)

    def _own_events(self) -> None:
        for gamma_id, market in self._markets.items():
            if self._owners.get(gamma_id) in self._heads:
                continue
            head = _made_event(f"9{gamma_id}", market.get("slug", gamma_id), market["question"], market)
            self._owners[gamma_id] = head["id"]
            self._heads[head["id"]] = head


def _updated_ms(one: Json) -> int:
    text = one.get("updatedAt") or "1970-01-01T00:00:00Z"
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _made_market(condition: str, tokens: list[str], tick: str, *, neg_risk: bool = False) -> Json:
    """Return the object of a market of which only frames were recorded."""
    gamma_id = _number(condition, 7)
    both = (*tokens, _number(f"{condition}/other", _TOKEN_DIGITS))[:2]
    return {
        "id": gamma_id,
        "question": f"Recorded market {condition[:10]}",
        "conditionId": condition,
        "slug": f"recorded-{condition[2:12]}",
        "resolutionSource": "",
        "endDate": "2099-01-01T00:00:00Z",
        "startDate": "2026-01-01T00:00:00Z",
        "description": "Only this market's frames were recorded; its question is not known.",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.5", "0.5"]',
        "clobTokenIds": msgspec.json.encode(both).decode(),
        "orderPriceMinTickSize": msgspec.Raw(tick.encode()),
        "orderMinSize": 5,
        "negRisk": neg_risk,
        "feesEnabled": False,
        "feeSchedule": None,
        **_TRADING,
    }


def _made_event(event_id: str, slug: str, title: str, market: Json) -> Json:
    return {
        "id": event_id,
        "ticker": slug,
        "slug": slug,
        "title": title,
        "description": market.get("description", ""),
        "endDate": market.get("endDate"),
        "active": True,
        "closed": bool(market.get("closed")),
        "archived": False,
        "enableOrderBook": True,
        "negRisk": bool(market.get("negRisk")),
        "tags": [],
    }


def _market_of_row(row: Json) -> tuple[Json, Json]:
    """Return market and event for one row of a matching catalog, which holds texts and identifiers only."""
    poly_id = str(row["poly_id"])
    gamma_id = str(row.get("gamma_id") or _number(poly_id, 9))
    condition = poly_id if poly_id.startswith("0x") else "0x" + sha256(poly_id.encode()).hexdigest()
    tokens = row.get("token_ids") or [_number(f"{poly_id}/{index}", _TOKEN_DIGITS) for index in (0, 1)]
    slug = str(row.get("slug") or f"row-{gamma_id}")
    market = {
        **_made_market(condition, [str(token) for token in tokens], "0.01"),
        "id": gamma_id,
        "question": row["question"],
        "slug": slug,
        "description": row.get("description", ""),
        "outcomes": msgspec.json.encode(row.get("outcomes") or ["Yes", "No"]).decode(),
        "groupItemTitle": row.get("group_item_title", ""),
        "endDate": row.get("end_date"),
        **({"gameStartTime": row["game_start"]} if row.get("game_start") else {}),
        **({"sportsMarketType": row["sports_market_type"]} if row.get("sports_market_type") else {}),
        **({"line": row["line"]} if row.get("line") is not None else {}),
    }
    event_slug = str(row.get("event_slug") or slug)
    title = str(row.get("event_title") or row["question"])
    return market, _made_event(f"9{_number(event_slug, 9)}", event_slug, title, market)


def _tick_of(recording: Recording, condition: str) -> str:
    ticks: list[Any] = [event.body.get("tick_size") for event in recording.events if event.body["market"] == condition]
    return next((str(tick) for tick in ticks if tick), "0.01")


def _number(text: str, digits: int) -> str:
    """Return a decimal number of ``digits`` digits that stands for ``text``, always the same."""
    number = int(sha256(text.encode()).hexdigest(), 16) % (9 * 10 ** (digits - 1))
    return str(number + 10 ** (digits - 1))
