"""Every recorded Gamma object becomes a market of the catalog, or is refused by name."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from shared.domain.fees import PolymarketFees
from shared.domain.market import Market, MarketStatus, PriceStep
from shared.venues.polymarket.catalog import NotListed, market_from_gamma
from shared.venues.polymarket.gamma import GammaEvent, event_of, markets_of, read_event, read_events_page, read_market
from tests.shared_folder import shared_folder

READ_ON = date(2026, 11, 21)


def listed(raw: bytes, event: GammaEvent | None = None) -> Market | NotListed:
    market = read_market(raw)
    return market_from_gamma(market, event or event_of(market), read_on=READ_ON)


def recorded() -> Iterator[Market | NotListed]:
    folder = shared_folder("captures/polymarket")
    for name in (
        "rest_gamma_markets_offset000_20260311.json",
        "rest_gamma_markets_offset025_20260311.json",
        "rest_gamma_markets_by_slug_202609.json",
    ):
        yield from (listed(json.dumps(raw).encode()) for raw in json.loads((folder / name).read_bytes()))
    for line in (folder / "rest_gamma_markets_btc_updown_5m_20260724.jsonl").read_bytes().splitlines():
        yield listed(line)
    for line in (folder / "rest_gamma_and_books_202607.jsonl").read_bytes().splitlines():
        yield listed(json.dumps(json.loads(line)["gamma_market"]).encode())
    yield from nested()


def nested() -> Iterator[Market | NotListed]:
    page = read_events_page(
        (shared_folder("captures/polymarket") / "rest_gamma_events_keyset_page_202609.json").read_bytes()
    )
    assert page.next_cursor
    for raw in page.events:
        event = read_event(raw)
        yield from (listed(bytes(market), event) for market in markets_of(event))


def test_all_119_recorded_markets_are_listed_but_the_one_without_tokens() -> None:
    markets = list(recorded())
    refused = [market for market in markets if isinstance(market, NotListed)]
    assert [market.reason for market in refused] == ["hydrating: no condition or token ids yet"]
    statuses = Counter(market.status for market in markets if isinstance(market, Market))
    assert statuses == {MarketStatus.OPEN: 66, MarketStatus.SETTLED: 52}


def test_fees_come_from_the_schedule_and_never_from_the_cap() -> None:
    rates = Counter(market.fees.rate for market in recorded() if isinstance(market, Market) and rate_known(market))
    assert rates == {
        Decimal(0): 50,
        Decimal("0.07"): 49,
        Decimal("0.03"): 9,
        Decimal("0.04"): 6,
        Decimal("0.05"): 4,
    }


def rate_known(market: Market) -> bool:
    assert isinstance(market.fees, PolymarketFees), market.slug
    return True


def test_a_nested_market_carries_its_events_context_and_exact_numbers() -> None:
    kraken = next(m for m in nested() if isinstance(m, Market) and m.slug == "kraken-ipo-in-2025")
    assert kraken.event_title == "Kraken IPO by ___ ?"
    assert kraken.outcome_label == "December 31"
    assert kraken.outcomes == ("Yes", "No")
    assert kraken.token_ids[0].startswith("106229668102716149832209250222340847662")
    assert kraken.rules_text.startswith('This market will resolve to "Yes" if Kraken')
    assert kraken.price_steps == (
        PriceStep(start_dollars=Decimal("0.001"), end_dollars=Decimal("0.999"), step_dollars=Decimal("0.001")),
    )
    assert (kraken.min_contracts, kraken.size_step_contracts) == (Decimal(5), Decimal("0.01"))
    assert kraken.never_match == ""


def test_game_times_and_delays_survive() -> None:
    games: list[Any] = [m for m in recorded() if isinstance(m, Market) and m.game_start_time is not None]
    assert games
    assert {game.taker_delay_s for game in games} == {Decimal(0), Decimal(1)}
    assert {game.market_type for game in games} != {""}
