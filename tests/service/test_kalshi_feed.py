"""The whole feed against the simulated Kalshi and a real Redis: catalog, quotes, loss of trust and recovery."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import redis.asyncio as redis_client
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.kalshi_feed.main import main
from services.kalshi_feed.settings import Settings
from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator, Refusal
from services.venue_sim.kalshi_server import create_app
from services.venue_sim.servers import Door, listening
from services.venue_sim.stats import Stats
from services.venue_sim.world import World
from shared.contracts.alerts import OperationalAlert
from shared.contracts.catalog import MarketListed
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import PairActivated, PairRetired
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import ALERTS, CATALOG, FEED_HEALTH, FIELD, PAIRS, QUOTES
from shared.domain.book import LevelE
from shared.domain.fees import KalshiFees
from shared.domain.market import MarketId, Venue
from shared.domain.numbers import price_dollars, size_contracts
from shared.domain.pair import Pair
from tests.pairs import made_up_pair

KEY_ID = "11111111-2222-4333-8444-555555555555"
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def private_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path, private_key: RSAPrivateKey) -> Path:
    path = tmp_path / "kalshi.pem"
    path.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path


class Exchange:
    """The simulated Kalshi, stepped by the test."""

    def __init__(self, private_key: RSAPrivateKey) -> None:
        self._now_ms = int(time.time() * 1000)
        self.world = World(seed=7, start_ms=self._now_ms, question_count=20, operations_per_s=400)
        self.stats = Stats()
        self.faults = Faults()
        self._authenticator = _Recording(private_key)
        self.app = create_app(self.world, authenticator=self._authenticator, stats=self.stats, faults=self.faults)
        self.address = ""

    @property
    def signatures(self) -> list[str]:
        """The signature of every WebSocket handshake."""
        return self._authenticator.signatures

    @property
    def tickers(self) -> list[MarketId]:
        return [MarketId(ticker) for ticker in self.world.kalshi_markets]

    async def trade(self, *, ms: int = 500) -> None:
        """Let ``ms`` milliseconds of the exchange's own time happen."""
        for _ in range(ms // 10):
            self._now_ms += 10
            self.world.step(self._now_ms)
            await asyncio.sleep(0)

    async def trade_until(self, holds: Callable[[], bool]) -> None:
        """Go on trading until something is so."""
        deadline_s = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < deadline_s, "not within the time"
            await self.trade(ms=10)
            await asyncio.sleep(0.001)

    def settings(self, redis_url: str, key_file: Path, *, key_id: str = KEY_ID) -> Settings:
        return Settings(
            redis_url=redis_url,
            demo_key_id=key_id,
            demo_key_file=key_file,
            rest_url=f"http://{self.address}/trade-api/v2",
            ws_url=f"ws://{self.address}/trade-api/ws/v2",
            page_pause_ms=0,
            depth=50,
        )


class _Recording(Authenticator):
    """Keeps the signature that was presented at each handshake."""

    def __init__(self, private_key: RSAPrivateKey) -> None:
        super().__init__({KEY_ID: private_key.public_key()}, lambda: int(time.time() * 1000))
        self.signatures: list[str] = []

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        if path.endswith("/ws/v2"):
            self.signatures.append(headers.get("KALSHI-ACCESS-SIGNATURE", ""))
        return super().refusal(method, path, headers)


@asynccontextmanager
async def serving(private_key: RSAPrivateKey) -> AsyncIterator[Exchange]:
    exchange = Exchange(private_key)
    door = Door(name="Kalshi", app=exchange.app, host="127.0.0.1", port=0, variable="PORT")
    async with listening(door) as [address]:
        exchange.address = address
        yield exchange


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    service = asyncio.create_task(main(settings, stopping))
    try:
        yield
        assert not service.done(), "the service ended by itself"
    finally:
        stopping.set()
        await service


class Bus:
    """What the feed wrote, read back, and what it is told about pairs."""

    def __init__(self, url: str) -> None:
        self.redis = redis_client.Redis.from_url(url, protocol=2)

    async def pair(self, ticker: MarketId) -> Pair:
        pair = made_up_pair(f"{ticker}~x", kalshi=ticker, polymarket="0x1")
        payload = msgspec.json.encode(PairActivated(pair=pair))
        await self.redis.hset(PAIRS.hash_name, pair.pair_id, payload)
        await self.redis.xadd(PAIRS.name, {FIELD: payload})
        return pair

    async def retire(self, pair: Pair) -> None:
        payload = msgspec.json.encode(PairRetired(pair_id=pair.pair_id, reason="test", pseq=1))
        await self.redis.hdel(PAIRS.hash_name, pair.pair_id)
        await self.redis.xadd(PAIRS.name, {FIELD: payload})

    async def quotes(self) -> list[Quote | QuotesStale]:
        """Every message of every partition; those of one market are in order."""
        found: list[Quote | QuotesStale] = []
        for stream in QUOTES[Venue.KALSHI]:
            found += [stream.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(stream.name)]
        return found

    async def latest(self) -> dict[MarketId, Quote | QuotesStale]:
        """The last word about each market."""
        words: dict[MarketId, Quote | QuotesStale] = {}
        for message in await self.quotes():
            for market_id in (message.market_id,) if isinstance(message, Quote) else message.market_ids:
                words[market_id] = message
        return words

    async def stale(self) -> list[QuotesStale]:
        return [message for message in await self.quotes() if isinstance(message, QuotesStale)]

    async def beats(self) -> list[FeedBeat]:
        return [FEED_HEALTH.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(FEED_HEALTH.name)]

    async def alerts(self) -> list[OperationalAlert]:
        return [ALERTS.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(ALERTS.name)]

    async def wait_equal(self, exchange: Exchange, tickers: Iterable[MarketId]) -> None:
        """Wait until the last quote of each market is the exchange's own book."""
        tickers = list(tickers)
        deadline_s = time.monotonic() + WITHIN_S
        while differing := await self._differing(exchange, tickers):
            assert time.monotonic() < deadline_s, differing
            await asyncio.sleep(0.01)

    async def _differing(self, exchange: Exchange, tickers: list[MarketId]) -> list[MarketId]:
        words = await self.latest()
        return [ticker for ticker in tickers if not _says(words.get(ticker), exchange, ticker)]


def _says(word: Quote | QuotesStale | None, exchange: Exchange, ticker: MarketId) -> bool:
    book = exchange.world.kalshi_markets[ticker].book
    return (
        isinstance(word, Quote)
        and word.yes_bids == tuple(map(_decimal, book.bids()))
        and word.yes_asks == tuple(map(_decimal, book.asks()))
    )


def _decimal(level: LevelE) -> tuple[object, object]:
    return price_dollars(level[0]), size_contracts(level[1])


@asynccontextmanager
async def bus_at(url: str) -> AsyncIterator[Bus]:
    bus = Bus(url)
    try:
        yield bus
    finally:
        await bus.redis.aclose()


@asynccontextmanager
async def feeding(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey, *, count: int
) -> AsyncIterator[tuple[Exchange, Bus, list[MarketId]]]:
    """An exchange, the feed and ``count`` markets in live pairs whose books are on the bus."""
    async with serving(private_key) as exchange, bus_at(redis_url) as bus:
        tickers = exchange.tickers[:count]
        for ticker in tickers:
            await bus.pair(ticker)
        async with running(exchange.settings(redis_url, key_file)):
            await bus.wait_equal(exchange, tickers)
            yield exchange, bus, tickers


async def test_the_catalog_gets_every_market_with_fees_and_rules(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with (
        serving(private_key) as exchange,
        bus_at(redis_url) as bus,
        running(exchange.settings(redis_url, key_file)),
    ):
        stream = CATALOG[Venue.KALSHI]
        deadline_s = time.monotonic() + WITHIN_S
        while await bus.redis.hlen(stream.hash_name) < len(exchange.tickers):
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.01)
        held = {
            key.decode(): stream.decoder.decode(value)
            for key, value in (await bus.redis.hgetall(stream.hash_name)).items()
        }
    assert set(held) == set(exchange.tickers)
    for ticker, message in held.items():
        assert isinstance(message, MarketListed)
        there = exchange.world.kalshi_markets[ticker]
        market = message.market
        assert market.title == there.title
        assert market.rules_text.startswith(there.rules_primary)
        assert isinstance(market.fees, KalshiFees)
        assert market.fees.multiplier == there.fee_multiplier


async def test_every_book_on_the_stream_equals_the_exchanges(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with feeding(redis_url, key_file, private_key, count=12) as (exchange, bus, tickers):
        await exchange.trade(ms=3_000)
        await bus.wait_equal(exchange, tickers)
        said = await bus.quotes()
    assert all(isinstance(message, Quote) for message in said)
    quotes = [message for message in said if isinstance(message, Quote)]
    assert {quote.market_id for quote in quotes} == set(tickers)
    assert {quote.verified for quote in quotes} == {"sequence"}
    assert not [
        quote for quote in quotes if quote.yes_bids and quote.yes_asks and quote.yes_bids[0] >= quote.yes_asks[0]
    ]


async def test_markets_are_streamed_while_a_live_pair_needs_them(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with serving(private_key) as exchange, bus_at(redis_url) as bus:
        first, second = exchange.tickers[:2]
        pair = await bus.pair(first)
        async with running(exchange.settings(redis_url, key_file)):
            await bus.wait_equal(exchange, [first])
            assert set(await bus.latest()) == {first}
            await bus.pair(second)
            await bus.wait_equal(exchange, [first, second])
            await bus.retire(pair)
            await _wait_for_beat(bus, lambda beat: beat.markets == 1 and beat.books_live == 1)
            before = [quote for quote in await bus.quotes() if isinstance(quote, Quote) and quote.market_id == first]
            await exchange.trade()
            await bus.wait_equal(exchange, [second])
            after = [quote for quote in await bus.quotes() if isinstance(quote, Quote) and quote.market_id == first]
    assert before == after
    assert exchange.stats.connections == 1


async def test_a_skipped_delta_makes_quotes_stale_until_the_books_are_rebuilt(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with feeding(redis_url, key_file, private_key, count=6) as (exchange, bus, tickers):
        exchange.faults.arm("skip_delta")
        stale: list[QuotesStale] = []
        deadline_s = time.monotonic() + WITHIN_S
        while len(stale) < len(tickers):
            assert time.monotonic() < deadline_s
            await exchange.trade(ms=50)
            await asyncio.sleep(0.01)
            stale = await bus.stale()
        await bus.wait_equal(exchange, tickers)
    assert {market_id for message in stale for market_id in message.market_ids} == set(tickers)
    assert all("sid 1 went from seq" in message.reason for message in stale)
    assert exchange.stats.connections == 1


async def test_a_dropped_connection_is_dialled_again_with_a_new_signature(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with feeding(redis_url, key_file, private_key, count=6) as (exchange, bus, tickers):
        exchange.faults.arm("drop_connection")
        await exchange.trade_until(lambda: exchange.stats.connections >= 2)
        await bus.wait_equal(exchange, tickers)
        stale = await bus.stale()
        words = await bus.latest()
    assert {market_id for message in stale for market_id in message.market_ids} == set(tickers)
    assert len(set(exchange.signatures)) == len(exchange.signatures) == exchange.stats.connections
    assert all(isinstance(word, Quote) and word.connection.endswith("-2") for word in words.values())


async def test_a_key_the_exchange_does_not_know_is_reported_once_and_not_in_a_storm(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with serving(private_key) as exchange, bus_at(redis_url) as bus:
        await bus.pair(exchange.tickers[0])
        async with running(exchange.settings(redis_url, key_file, key_id="unknown")):
            deadline_s = time.monotonic() + WITHIN_S
            while not (alerts := await bus.alerts()):
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.01)
    [alert] = alerts
    assert alert.code == "kalshi_feed.unauthorised"
    assert "KALSHI_ENV" in alert.detail
    assert len(exchange.signatures) == 2
    assert len(set(exchange.signatures)) == 2


async def test_a_beat_comes_each_second_with_the_state_of_the_connection(
    redis_url: str, key_file: Path, private_key: RSAPrivateKey
) -> None:
    async with serving(private_key) as exchange, bus_at(redis_url) as bus:
        await bus.pair(exchange.tickers[0])
        async with running(exchange.settings(redis_url, key_file)):
            await bus.wait_equal(exchange, exchange.tickers[:1])
            beat = await _wait_for_beat(bus, lambda beat: beat.state == "live")
    assert (beat.markets, beat.books_live, beat.gaps, beat.refused) == (1, 1, 0, 0)
    assert 0 <= beat.frame_age_ms < 2_500


async def _wait_for_beat(bus: Bus, holds: Callable[[FeedBeat], bool]) -> FeedBeat:
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        beats = await bus.beats()
        if beats and holds(beats[-1]):
            return beats[-1]
        assert time.monotonic() < deadline_s, beats[-1:]
        await asyncio.sleep(0.02)
