"""The exact best size found next to a quick walk's end is the one that the thorough search finds."""

import os
from datetime import date
from decimal import Decimal
from random import Random

from services.cli.bench.detector_tape import BookPair, deep_pairs
from shared.domain.arbitrage import Ladders, Limits, MarketTerms, PairPricing, Walk
from shared.domain.depth_near import settled
from shared.domain.depth_search import search
from shared.domain.evaluation_fields import LIMIT_FIELDS, MARKET_FIELDS, Fields, ladders, limits_of, market_terms
from shared.domain.fees import FeesRefused, KalshiFees, PolymarketFees
from shared.domain.market import Venue
from shared.domain.pair import Direction, Orientation
from tests.property.random_pairs import random_pair

PAIRS = int(os.environ.get("DUTCHBOOK_NEAR_PAIRS", "500"))
"""100,000 take ten minutes."""


def walks(random: Random) -> list[Walk]:
    """Return the quick walks of both directions of one random pair, as far as there are any."""
    file = random_pair(random)
    root = Fields("", file, set(file))
    kalshi, polymarket = (root.child(venue.value, MARKET_FIELDS) for venue in Venue)
    asked = root.child("limits", LIMIT_FIELDS)
    capital = asked.child("max_capital_dollars", {"kalshi", "polymarket"}, optional=True)
    try:
        pricing = PairPricing(
            Orientation(file["orientation"]),
            kalshi=market_terms(kalshi, Venue.KALSHI, capital.amount("kalshi")),
            polymarket=market_terms(polymarket, Venue.POLYMARKET, capital.amount("polymarket")),
            limits=limits_of(asked),
        )
    except FeesRefused:
        return []
    books = ladders(kalshi), ladders(polymarket)
    return [walk for direction in Direction if (walk := pricing.walk(direction, *books)) is not None]


def test_the_size_is_that_of_the_thorough_search_on_any_books() -> None:
    random, seen = Random(7), 0
    for _ in range(PAIRS):
        for walk in walks(random):
            assert settled(walk) == search(walk.terms, walk.offers)
            seen += 1
    assert seen > PAIRS // 5


def pricing_of(pair: BookPair) -> PairPricing:
    """Return how an ordinary pair is priced: whole grids of a hundredth, and Kalshi's and Polymarket's usual fees."""
    day = date(2026, 11, 1)
    ours = KalshiFees(fee_type="quadratic", multiplier=pair.multiplier, effective_from=day, source="test")
    theirs = PolymarketFees(rate=pair.rate, effective_from=day, source="test")
    step = Decimal("0.01")
    return PairPricing(
        Orientation.SAME,
        kalshi=MarketTerms(fees=ours, size_step_contracts=step, min_contracts=step),
        polymarket=MarketTerms(fees=theirs, size_step_contracts=step, min_contracts=Decimal(5)),
        limits=Limits(),
    )


def test_the_size_is_that_of_the_thorough_search_on_ordinary_deep_books() -> None:
    """Twenty levels a side, with sizes in hundredths, so that rounding decides more often."""
    random, seen = Random(3), 0
    for pair in deep_pairs(60, seed=11):
        books = [
            [(price_e4, size_e6 - random.randint(0, 99) * 10_000) for price_e4, size_e6 in side]
            for side in (pair.kalshi_bids, pair.kalshi_asks, pair.polymarket_bids, pair.polymarket_asks)
        ]
        for direction in Direction:
            walk = pricing_of(pair).walk(direction, Ladders(books[0], books[1]), Ladders(books[2], books[3]))
            if walk is not None:
                assert settled(walk) == search(walk.terms, walk.offers)
                seen += 1
    assert seen > 30
