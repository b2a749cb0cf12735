"""Two detector processes split baskets as they split pairs: one is killed, and no episode is lost, doubled, renamed."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from shared.contracts.baskets import BasketActivated, BasketClosed, BasketOpened
from shared.contracts.catalog import MarketChanged, MarketListed
from shared.contracts.streams import BASKET_OPPORTUNITIES, BASKETS, CATALOG, FIELD
from shared.domain.baskets import BasketKind
from shared.domain.live_basket import BasketMember, LiveBasket, basket_id_of
from shared.domain.market import Market, MarketId, Venue
from tests.faults.detector_world import World, kill, world_of
from tests.unit.arb_detector.basket_scene import fees
from tests.unit.arb_detector.scene import Levels
from tests.unit.domain.test_live_basket import market

BASKETS_IN_ALL = 20
KALSHI = Venue.KALSHI
WITH_EDGE: tuple[Levels, Levels] = ([("0.62", "100")], [("0.70", "10")])
WITHOUT: tuple[Levels, Levels] = ([("0.40", "100")], [("0.70", "10")])


class Leg:
    """One market of one basket, in the form in which the world quotes a pair's."""

    def __init__(self, basket: LiveBasket, market_id: MarketId) -> None:
        self.partition = basket.partition
        self._market_id = market_id

    def market_id(self, _: Venue) -> MarketId:
        return self._market_id


def listing(event: str, name: str, **changes: Any) -> Market:
    found = market(f"{event}-{name}", fees=fees(KALSHI), event_market_count=2)
    return msgspec.structs.replace(found, event_id=event, **changes)


def listed(world: World, event: str) -> LiveBasket:
    """List an event of two markets and switch its basket on."""
    markets = [listing(event, name) for name in "AB"]
    for one in markets:
        world.redis.hset(CATALOG[KALSHI].hash_name, one.market_id, msgspec.json.encode(MarketListed(market=one)))
    basket = LiveBasket(
        basket_id=basket_id_of(KALSHI, event, BasketKind.EVERY_NO),
        kind=BasketKind.EVERY_NO,
        venue=KALSHI,
        event_id=event,
        members=tuple(BasketMember(market_id=one.market_id, label=one.outcome_label) for one in markets),
        source="baskets.yaml",
    )
    payload = msgspec.json.encode(BasketActivated(basket=basket))
    world.redis.hset(BASKETS.hash_name, basket.basket_id, payload)
    world.redis.xadd(BASKETS.name, {FIELD: payload})
    return basket


def quote(world: World, basket: LiveBasket, sides: tuple[Levels, Levels]) -> None:
    for market_id in basket.market_ids:
        world.quote(Leg(basket, market_id), KALSHI, sides)  # type: ignore[arg-type]


def said(world: World, kind: type) -> list[Any]:
    return world.said(BASKET_OPPORTUNITIES, kind)


def test_episodes_of_baskets_outlive_the_process_that_opened_them(redis_url: str, tmp_path: Path) -> None:
    with world_of(redis_url, tmp_path, 0) as world:
        baskets = [listed(world, f"KXRACE-{at}") for at in range(BASKETS_IN_ALL)]
        first = world.start_detector("first")
        world.wait_for_replicas(1)
        world.start_detector("second")
        world.wait_for_replicas(2)
        for basket in baskets:
            quote(world, basket, WITH_EDGE)
        world.until(lambda: len(said(world, BasketOpened)) == len(baskets), what=lambda: len(said(world, BasketOpened)))
        assert len({message.epoch for message in said(world, BasketOpened)}) == 2, "both told some"
        kill(first)
        world.until(lambda: len(world.holders()) == 1)
        for basket in baskets:
            quote(world, basket, WITHOUT)
        world.until(lambda: len(said(world, BasketClosed)) == len(baskets), what=lambda: len(said(world, BasketClosed)))
        opened = Counter(message.opportunity_id for message in said(world, BasketOpened))
        assert Counter(message.opportunity_id for message in said(world, BasketClosed)) == opened
        assert set(opened.values()) == {1}
        assert {message.reason for message in said(world, BasketClosed)} == {"edge is gone"}
        assert world.redis.hlen(BASKET_OPPORTUNITIES.hash_name) == 0


def test_a_flag_that_changes_closes_the_episode_before_the_matcher_has_said_a_word(
    redis_url: str, tmp_path: Path
) -> None:
    with world_of(redis_url, tmp_path, 0) as world:
        basket = listed(world, "KXRACE-1")
        world.start_detector("only")
        world.wait_for_replicas(1)
        quote(world, basket, WITH_EDGE)
        world.until(lambda: said(world, BasketOpened))
        changed = MarketChanged(
            market=listing("KXRACE-1", "B", mutually_exclusive=False), changed=("mutually_exclusive",)
        )
        world.redis.xadd(CATALOG[KALSHI].name, {FIELD: msgspec.json.encode(changed)})
        world.until(lambda: said(world, BasketClosed))
        [ending] = said(world, BasketClosed)
        assert ending.reason.startswith("the venue's listing does not bear the basket")
        quote(world, basket, WITH_EDGE)
        world.pass_s(1)
        assert len(said(world, BasketOpened)) == 1
