"""Baskets with real processes: switched on in a file, fed, told in words, taken down with the venue's own word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.contracts.baskets import (
    BasketActivated,
    BasketClosed,
    BasketMessage,
    BasketOpened,
    BasketOpportunityMessage,
    BasketSuspended,
)
from shared.contracts.streams import BASKET_OPPORTUNITIES, BASKETS, FIELD, intents
from shared.domain.market import Market, Venue
from shared.domain.pair import partition_of
from tests.e2e.pipeline import Pipeline, scanning
from tests.waiting import eventually

ROW = """  - venue: {venue}
    event: "{event}"
    kind: {kind}
    reviewed_by: alice
    reviewed_at: 2026-11-20T09:00:00Z
    source: "the simulator: one decision, one outcome"
"""


class Event:
    """One event of several markets on a venue, and its favourite, whose price a test moves."""

    def __init__(self, pipe: Pipeline, venue: Venue, markets: list[Market]) -> None:
        self.pipe, self.venue, self.markets = pipe, venue, markets
        self.event_id = markets[0].event_id
        books = pipe.control("/books")[venue.value]
        self.favourite = max(markets, key=lambda one: float((books[one.market_id]["bids"] or [["0"]])[0][0]))

    def happens(self, event: str, value: str) -> None:
        """Cause something on the venue."""
        order = {"venue": self.venue.value, "event": event, "market": self.favourite.market_id, "value": value}
        self.pipe.control("/_event", order)

    def basket_id(self, kind: str) -> str:
        return f"{self.venue.value}-{self.event_id}-{kind}"

    def word(self, kind: str) -> BasketMessage | None:
        """What the matcher says of the event's basket."""
        held = self.pipe.redis.hget(BASKETS.hash_name, self.basket_id(kind))
        return None if held is None else BASKETS.decoder.decode(held)

    def is_live(self, kind: str) -> bool:
        return isinstance(self.word(kind), BasketActivated)

    def why_suspended(self, kind: str) -> str:
        word = self.word(kind)
        return word.reason if isinstance(word, BasketSuspended) else ""

    def said(self, kind: str, of: type) -> list[Any]:
        """The episodes' messages of one kind."""
        entries = self.pipe.redis.xrange(BASKET_OPPORTUNITIES.name)
        told: list[BasketOpportunityMessage] = [BASKET_OPPORTUNITIES.decoder.decode(one[FIELD]) for _, one in entries]
        return [message for message in told if message.basket_id == self.basket_id(kind) and isinstance(message, of)]

    def is_quoted(self, kind: str) -> bool:
        """Whether every market has a quote in the basket's partition."""
        part = partition_of(self.basket_id(kind))
        return all(self.pipe.quote(self.venue, one.market_id, part) is not None for one in self.markets)


def event_of(pipe: Pipeline, venue: Venue, *, title: str) -> Event:
    """The listed event whose title starts so."""
    found = [market for market in pipe.catalog(venue).values() if market.event_title.startswith(title)]
    assert len({market.event_id for market in found}) == 1
    return Event(pipe, venue, found)


def switch_on(pipe: Pipeline, *rows: tuple[Event, str]) -> None:
    text = "".join(ROW.format(venue=one.venue.value, event=one.event_id, kind=kind) for one, kind in rows)
    path = Path(pipe.environ["MATCHER_MAPPINGS_DIR"]) / "baskets.yaml"
    path.write_text(f"schema_version: 1\nbaskets:\n{text}")


def alerts(pipe: Pipeline) -> str:
    """Everything that the alerts service wrote to its log, which is its sink here."""
    return pipe.runs["alerts"].stderr


@pytest.fixture(scope="module")
def pipe() -> Iterator[Pipeline]:
    with scanning(questions=24, rate=20, plant_interval_ms=0, refresh_s=1) as pipe:
        yield pipe


def test_a_basket_that_pays_is_told_in_words_and_ends_with_the_venues_word(pipe: Pipeline, tmp_path: Path) -> None:
    fed = event_of(pipe, Venue.KALSHI, title="Fed decision")
    switch_on(pipe, (fed, "every_no"))
    eventually(lambda: fed.is_live("every_no"), what=lambda: pipe.runs["matcher"].stderr[-2_000:])
    eventually(lambda: fed.is_quoted("every_no"))
    assert fed.said("every_no", BasketOpened) == [], "the outcomes are priced as they should be"

    fed.happens("plant", "bid 0.94 80")
    [found] = eventually(
        lambda: fed.said("every_no", BasketOpened), what=lambda: pipe.command("why", fed.basket_id("every_no"))
    )
    assert found.edge_dollars > 0
    assert {leg.outcome for leg in found.legs} == {"no"}
    assert fed.favourite.market_id in {leg.market_id for leg in found.legs}
    assert found.payout_dollars == found.contracts * (len(found.legs) - 1)
    eventually(lambda: f"episode {found.opportunity_id}" in alerts(pipe), what=lambda: alerts(pipe)[-2_000:])
    assert f"in a basket of {len(found.legs)} on Kalshi" in alerts(pipe)
    assert "mutually" in alerts(pipe)

    def told() -> Any:
        answer = pipe.command("why", fed.basket_id("every_no"))
        return answer if answer["standing"] else None

    answer = eventually(told)
    assert (answer["state"], len(answer["standing"]["legs"])) == ("live", len(fed.markets))
    assert fed.basket_id("every_no") in {line["basket_id"] for line in pipe.command("pairs", "list")["baskets"]}
    file = tmp_path / "basket.json"
    file.write_bytes(msgspec.json.encode(found))
    priced = pipe.command("evaluate", str(file))
    assert (priced["edge_dollars"], priced["contracts"]) == (plain(found.edge_dollars), plain(found.contracts))
    assert not any("basket" in str(entry) for entry in pipe.redis.xrange(intents("test").name))

    fed.happens("terms", "independent")
    [ending] = eventually(lambda: fed.said("every_no", BasketClosed))
    assert ending.opportunity_id == found.opportunity_id
    assert ending.reason.startswith(("the venue's listing does not bear the basket", "basket is no longer live"))
    why = eventually(lambda: fed.why_suspended("every_no"))
    assert why.startswith("Kalshi denies that at most one market")
    eventually(lambda: "is suspended" in alerts(pipe), what=lambda: alerts(pipe)[-2_000:])
    assert pipe.command("why", fed.basket_id("every_no"))["state"] == "suspended"
    fed.happens("plant", "")
    fed.happens("terms", "exclusive")
    eventually(lambda: fed.is_live("every_no"))


def test_an_augmented_event_never_alerts_and_one_that_becomes_augmented_stops(pipe: Pipeline) -> None:
    fed = event_of(pipe, Venue.POLYMARKET, title="Fed decision")
    fed.happens("terms", "augmented")
    eventually(lambda: all(one.neg_risk_augmented for one in event_of(pipe, Venue.POLYMARKET, title="Fed").markets))
    switch_on(pipe, (fed, "every_yes"), (fed, "every_no"))
    fed.happens("plant", "ask 0.25 300")
    for kind in ("every_yes", "every_no"):
        eventually(lambda kind=kind: "augmented" in fed.why_suspended(kind))

    fed.happens("terms", "plain")
    eventually(lambda: fed.is_live("every_yes"), what=lambda: fed.word("every_yes"))
    [found] = eventually(
        lambda: fed.said("every_yes", BasketOpened), what=lambda: pipe.command("why", fed.basket_id("every_yes"))
    )
    assert {leg.market_id for leg in found.legs} == {one.market_id for one in fed.markets}
    assert all(leg.token_id for leg in found.legs)
    assert found.neg_risk
    assert not found.neg_risk_augmented
    assert found.detected_ts_ns > 0
    eventually(lambda: f"episode {found.opportunity_id}" in alerts(pipe))

    fed.happens("terms", "augmented")
    eventually(lambda: fed.said("every_yes", BasketClosed))
    eventually(lambda: "augmented" in fed.why_suspended("every_yes"))
    assert len(fed.said("every_yes", BasketOpened)) == 1, "only while the venue said that it was not augmented"
    assert fed.said("every_no", BasketOpened) == []


def plain(amount: Any) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
