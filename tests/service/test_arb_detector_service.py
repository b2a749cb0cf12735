"""The detector as a process would run it, against a real Redis: streams in, opportunities and signed intents out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from services.arb_detector import main as detector_main
from services.arb_detector import rounds
from services.arb_detector.main import main
from services.arb_detector.settings import Settings
from services.cli.main import app
from shared.contracts.alerts import OperationalAlert
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.contracts.envelope import SequenceWatch
from shared.contracts.funnel import FunnelCounted, PairDiverged, PairStanding
from shared.contracts.intents import HedgedIntent, is_authentic, key_id_of
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened
from shared.contracts.pairs import PairActivated, PairRetired
from shared.contracts.quotes import QuotesStale, QuoteText
from shared.contracts.streams import (
    ALERTS,
    CATALOG,
    DIVERGENCES,
    FEED_HEALTH,
    FIELD,
    FUNNEL,
    OPPORTUNITIES,
    PAIRS,
    QUOTES,
    Stream,
    book_key,
    intents,
)
from shared.domain.market import MarketId, MarketStatus, Venue
from shared.domain.pair import PARTITIONS, Pair
from shared.io.bus import Identity, Outbox, Profile, SetAside, connect
from shared.runtime.clock import SystemClock
from shared.runtime.errors import SettingsRefused
from tests.service.lost_message import lose
from tests.unit.arb_detector.feed_words import FEED_EPOCH
from tests.unit.arb_detector.scene import Scene, market

KEY = b"a key of more than sixteen bytes\n"
WITHIN_S = 10.0


class Feeds:
    """Writes what the feeds and the matcher would write, and reads what the detector says."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url, Profile.WRITER)
        self.outbox = Outbox(url, Identity("test", "test-1"))
        self.scene = Scene()
        self.scene.clock = SystemClock()  # type: ignore[assignment]
        self.pair: Pair = self.scene.pair

    async def list_everything(self) -> None:
        """Both markets and the pair."""
        for venue in Venue:
            listed = market(venue)
            self.outbox.put(CATALOG[venue], MarketListed(market=listed), key=listed.market_id)
        self.outbox.put(PAIRS, PairActivated(pair=self.pair), key=self.pair.pair_id)
        await self.outbox.flushed()

    async def write(self, message: QuoteText | QuotesStale) -> None:
        """One quote or withdrawal, on its stream and under its key."""
        part, venue = self.pair.partition, Venue(message.venue)
        payload = msgspec.json.encode(message)
        await self.redis.xadd(QUOTES[venue][part].name, {FIELD: payload})
        await self.redis.set(book_key(venue.value, self.pair.market_id(venue), part), payload)

    async def offer(self) -> None:
        """Both sides of the opportunity."""
        await self.write(self.scene.kalshi())
        await self.write(self.scene.polymarket())

    async def beat_for_ever(self) -> None:
        """Both feeds live."""
        recorded: list[Any] = []
        self.scene.detector.take_beat = recorded.append  # type: ignore[method-assign]
        while True:
            self.scene.beats()
            for beat in recorded:
                await self.redis.xadd(FEED_HEALTH.name, {FIELD: FEED_HEALTH_ENCODER.encode(beat)})
            recorded.clear()
            await asyncio.sleep(0.2)

    async def said(self, stream: Stream[Any]) -> list[Any]:
        """Everything on a stream."""
        return [stream.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(stream.name)]

    async def until(self, stream: Stream[Any], kind: type, count: int = 1) -> list[Any]:
        """Wait until a stream has ``count`` messages of a kind and return them."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = [message for message in await self.said(stream) if isinstance(message, kind)]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)

    async def until_standing(self, holds: Callable[[PairStanding], bool]) -> None:
        """Wait until the newest standing of the pair is such."""
        async with asyncio.timeout(WITHIN_S):
            while not holds((await self.until(FUNNEL, PairStanding))[-1]):  # noqa: ASYNC110 - another task tells it
                await asyncio.sleep(0.01)

    async def until_dropped(self, stream: Stream[Any]) -> None:
        """Wait until the hash of a stream is empty."""
        async with asyncio.timeout(WITHIN_S):
            while await self.redis.hlen(stream.hash_name):  # noqa: ASYNC110 - another process empties it
                await asyncio.sleep(0.01)


FEED_HEALTH_ENCODER = msgspec.json.Encoder()


@asynccontextmanager
async def feeds_at(url: str) -> AsyncIterator[Feeds]:
    feeds = Feeds(url)
    tasks = [asyncio.create_task(feeds.outbox.run()), asyncio.create_task(feeds.beat_for_ever())]
    try:
        yield feeds
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await feeds.redis.aclose()


@asynccontextmanager
async def detector_at(settings: Settings) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(main(settings, stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(running, WITHIN_S)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    key_file = tmp_path / "intent.key"
    key_file.write_bytes(KEY)
    key_file.chmod(0o600)
    return Settings(redis_url=redis_url, account="test", intent_key_file=key_file)


async def test_quotes_become_an_opportunity_and_an_intent_that_the_executor_can_trust(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        [found] = await feeds.until(OPPORTUNITIES, OpportunityOpened)
        [order] = await feeds.until(intents("test"), HedgedIntent)
        assert (found.pair_id, found.alert_only) == (feeds.pair.pair_id, "")
        assert order.opportunity_id == found.opportunity_id
        assert is_authentic(order, key_id=key_id_of(KEY), key=KEY)
        assert [leg.quote_epoch for leg in order.legs] == [FEED_EPOCH, FEED_EPOCH]


async def test_what_was_there_before_the_start_is_loaded(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds:
        await feeds.list_everything()
        await feeds.offer()
        async with detector_at(settings):
            assert await feeds.until(OPPORTUNITIES, OpportunityOpened)


async def test_a_withdrawn_quote_closes_the_episode(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        [found] = await feeds.until(OPPORTUNITIES, OpportunityOpened)
        await feeds.write(feeds.scene.stale(Venue.POLYMARKET))
        [ending] = await feeds.until(OPPORTUNITIES, OpportunityClosed)
        assert (ending.opportunity_id, ending.reason) == (found.opportunity_id, "quote withdrawn by its feed")
        assert await feeds.redis.hlen(OPPORTUNITIES.hash_name) == 0


async def test_catalog_and_pairs_are_followed_while_it_runs(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        await feeds.until(OPPORTUNITIES, OpportunityOpened)
        paused = market(Venue.KALSHI, status=MarketStatus.PAUSED)
        feeds.outbox.put(CATALOG[Venue.KALSHI], MarketChanged(market=paused, changed=("status",)), key=paused.market_id)
        [ending] = await feeds.until(OPPORTUNITIES, OpportunityClosed)
        assert ending.reason == "market is not open"
        listed = market(Venue.KALSHI)
        feeds.outbox.put(CATALOG[Venue.KALSHI], MarketChanged(market=listed, changed=("status",)), key=listed.market_id)
        await feeds.until(OPPORTUNITIES, OpportunityOpened, 2)
        feeds.outbox.put(PAIRS, PairRetired(pair_id=feeds.pair.pair_id, reason="removed"), key=feeds.pair.pair_id)
        assert (await feeds.until(OPPORTUNITIES, OpportunityClosed, 2))[1].reason == "pair is no longer live"


async def test_a_restart_continues_the_open_episode_and_sends_no_second_intent(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds:
        async with detector_at(settings):
            await feeds.list_everything()
            await feeds.offer()
            [found] = await feeds.until(OPPORTUNITIES, OpportunityOpened)
        async with detector_at(settings):
            await feeds.write(feeds.scene.polymarket_without_edge())
            [ending] = await feeds.until(OPPORTUNITIES, OpportunityClosed)
        assert ending.opportunity_id == found.opportunity_id
        assert ending.reason == "edge is gone"
        assert len(await feeds.said(intents("test"))) == 1


async def test_entries_that_cannot_be_read_are_passed_over(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        stream = QUOTES[Venue.KALSHI][feeds.pair.partition].name
        for payload in (
            b"",
            b"\xff",
            b"{}",
            b'{"type":"quote_of_the_day"}',
            b'{"type":"quote","venue":1}',
            b"[" * 9999,
        ):
            await feeds.redis.xadd(stream, {FIELD: payload})
        await feeds.redis.xadd(stream, {"x": "y"})
        await feeds.offer()
        assert await feeds.until(OPPORTUNITIES, OpportunityOpened)


async def test_without_a_key_opportunities_are_told_and_nothing_is_ordered(redis_url: str) -> None:
    settings = Settings(redis_url=redis_url, account="test")
    async with feeds_at(redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        [found] = await feeds.until(OPPORTUNITIES, OpportunityOpened)
        assert found.alert_only == "this detector has no key to sign intents"
        assert await feeds.redis.xlen(intents("test").name) == 0


async def test_a_key_that_is_too_short_is_refused_in_one_line(redis_url: str, tmp_path: Path) -> None:
    key_file = tmp_path / "intent.key"
    key_file.write_text("short\n")
    key_file.chmod(0o600)
    with pytest.raises(SettingsRefused, match="has 6 bytes; at least 16 are needed"):
        await main(Settings(redis_url=redis_url, intent_key_file=key_file), asyncio.Event())


def test_settings_out_of_range_are_refused_by_name(redis_url: str) -> None:
    with pytest.raises(ValueError, match="ARB_DETECTOR_DEBOUNCE_MS=-1"):
        Settings(redis_url=redis_url, debounce_ms=-1)
    with pytest.raises(ValueError, match="ARB_DETECTOR_INTENT_TTL_MS=0"):
        Settings(redis_url=redis_url, intent_ttl_ms=0)


async def test_where_a_pair_stands_is_on_the_bus_and_why_tells_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUTCHBOOK_REDIS_URL", settings.redis_url)
    async with feeds_at(settings.redis_url) as feeds:
        async with detector_at(settings):
            await feeds.list_everything()
            await feeds.write(feeds.scene.kalshi())
            await feeds.until_standing(lambda told: told.reason == "no quote yet" and told.legs[0].yes_ask is not None)
            result = await asyncio.to_thread(CliRunner().invoke, app, ["why", feeds.pair.pair_id, "--json"])
            answer = msgspec.json.decode(result.stdout)
            assert (answer["state"], answer["reason"]) == ("live", "no quote yet")
            assert answer["standing"]["legs"][0]["yes_ask"] == ["0.41", "100"]
            feeds.outbox.put(
                PAIRS, PairRetired(pair_id=feeds.pair.pair_id, reason="over"), key=feeds.pair.pair_id, drop_key=True
            )
            await feeds.until_dropped(FUNNEL)
        result = await asyncio.to_thread(CliRunner().invoke, app, ["why", feeds.pair.pair_id])
        assert "there is no pair or basket 'hou-por' on the bus" in str(result.exception)


async def test_the_funnel_of_the_process_is_told_and_adds_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_FUNNEL_S", 0.5)
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        await feeds.until(OPPORTUNITIES, OpportunityOpened)
        seen = len([one for one in await feeds.said(FUNNEL) if isinstance(one, FunnelCounted)])
        counted = (await feeds.until(FUNNEL, FunnelCounted, seen + 1))[-1]
        assert sum(count for _, count in counted.reasons) == counted.evaluations > 0
        assert (counted.pairs, counted.partitions) == (1, tuple(range(PARTITIONS)))


async def test_a_market_whose_end_the_catalog_lost_is_looked_up(settings: Settings) -> None:
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await feeds.list_everything()
        await feeds.offer()
        await feeds.until(OPPORTUNITIES, OpportunityOpened)
        ended, other = market(Venue.KALSHI), msgspec.structs.replace(market(Venue.KALSHI), market_id=MarketId("OTHER"))
        stream, listed = CATALOG[Venue.KALSHI], MarketListed(market=other)
        feeds.outbox.put(stream, listed, key=other.market_id)
        closed = MarketClosed(venue=Venue.KALSHI, market_id=ended.market_id, reason="determined")
        await lose(feeds.outbox, feeds.redis, stream, closed, key=ended.market_id, drop_key=True)
        feeds.outbox.put(stream, listed, key=other.market_id)
        await feeds.until(OPPORTUNITIES, OpportunityClosed)


async def test_its_two_outboxes_do_not_count_as_one_writer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both raise alarms; a reader would take those of one for repeats of the other's."""
    made: list[Outbox] = []

    class Noted(Outbox):
        def __init__(self, url: str, identity: Identity) -> None:
            super().__init__(url, identity)
            made.append(self)

    monkeypatch.setattr(detector_main, "Outbox", Noted)
    async with feeds_at(settings.redis_url) as feeds, detector_at(settings):
        await asyncio.wait_for(until_made(made, 2), WITHIN_S)
        for outbox in made:
            outbox.on_set_aside(SetAside((FUNNEL.name,), (b"{}",), "WRONGTYPE"))
        told = await feeds.until(ALERTS, OperationalAlert, 2)
    watch = SequenceWatch()
    assert [watch.is_repeat(ALERTS.name, alert) for alert in told] == [False, False]


async def until_made(made: list[Outbox], count: int) -> None:
    while len(made) < count:  # noqa: ASYNC110 - the detector makes them when it starts
        await asyncio.sleep(0.01)


async def test_a_pair_that_stays_far_apart_is_told_to_the_matcher_and_the_operator_and_stays_alert_only(
    settings: Settings,
) -> None:
    quick = msgspec.structs.replace(settings, diverged_after_s=1)
    async with feeds_at(settings.redis_url) as feeds:
        async with detector_at(quick):
            await feeds.list_everything()
            await feeds.write(feeds.scene.kalshi())
            await feeds.write(feeds.scene.quote(Venue.POLYMARKET, [("0.52", "80")], [("0.55", "10")]))
            [found] = await feeds.until(DIVERGENCES, PairDiverged)
            [alert] = await feeds.until(ALERTS, OperationalAlert)
        assert (found.pair_version, alert.code) == (feeds.pair.version, "detector.pair_diverged")
        assert await feeds.redis.hkeys(DIVERGENCES.hash_name) == [feeds.pair.pair_id.encode()]
        await feeds.write(feeds.scene.stale(Venue.KALSHI))
        async with detector_at(settings):
            await feeds.until(OPPORTUNITIES, OpportunityClosed)
            await feeds.write(feeds.scene.kalshi())
            opening = (await feeds.until(OPPORTUNITIES, OpportunityOpened, 2))[-1]
        assert opening.alert_only.endswith("minutes: review")
        assert len(await feeds.said(intents("test"))) == 1
