"""The feed without a key: public order books are polled, quoted on the same streams, and honest about their age."""

import asyncio
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from shared.contracts.quotes import Quote, QuotesStale
from shared.domain.market import MarketId
from tests.service.test_kalshi_feed import Bus, running, serving


async def test_without_a_key_public_books_are_polled_and_say_so(redis_url: str) -> None:
    bus = Bus(redis_url)
    async with serving(generate_private_key(public_exponent=65537, key_size=2048)) as exchange:
        tickers = exchange.tickers[:3]
        for ticker in tickers:
            await bus.pair(ticker)
        await bus.pair(MarketId("KXNOSUCH-1"))
        settings = msgspec.structs.replace(
            exchange.settings(redis_url, Path("unused")), demo_key_id="", demo_key_file=None, poll_ms=50,
            public_tokens_per_s=1_000,
        )  # fmt: skip
        async with running(settings):
            await bus.wait_equal(exchange, tickers)
            await exchange.trade()
            await bus.wait_equal(exchange, tickers)
            for _ in range(500):
                if any(beat.books_live == 3 for beat in await bus.beats()):
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError(await bus.beats())
        assert exchange.signatures == [], "nothing was signed and no stream was opened"
        words = await bus.latest()
        alerts = {alert.code: alert for alert in await bus.alerts()}
        quotes = [quote for quote in await bus.quotes() if isinstance(quote, Quote)]
    await bus.redis.aclose()
    assert alerts["kalshi_feed.without_key"].severity == "info"
    assert "KXNOSUCH-1" in alerts["kalshi_feed.market_refused"].title
    assert {quote.verified for quote in quotes} == {"rest"}
    assert all(quote.received_ts_ns <= quote.published_ts_ns for quote in quotes)
    assert all(isinstance(words[ticker], QuotesStale) for ticker in tickers), "an orderly stop withdraws the quotes"


async def test_books_that_cannot_be_read_any_more_are_withdrawn(redis_url: str) -> None:
    from services.kalshi_feed.polled_books import PolledBooks
    from services.kalshi_feed.rest_client import RestFailed
    from shared.testing.clock import FakeClock
    from tests.unit.kalshi.frames import A, B
    from tests.unit.kalshi.test_kalshi_feed_parts import Noted

    class Client:
        """Answers once, then never again."""

        bodies = [  # noqa: RUF012
            b'{"orderbooks":[{"ticker":"%b","orderbook_fp":{"yes_dollars":[["0.40","1.00"]],"no_dollars":[]}},'
            b'{"ticker":"%b","orderbook_fp":{"yes_dollars":[["0.60","1.00"]],"no_dollars":[["0.40","1.00"]]}}]}'
            % (A.encode(), B.encode())
        ]

        async def get(self, _request: object, *, attempts: int) -> bytes:
            clock.advance(ms=2_000)
            if not self.bodies:
                raise RestFailed("503", 503)
            return self.bodies.pop()

    clock, publisher = FakeClock(), Noted()
    books = PolledBooks(
        Client(), publisher, clock, alert=lambda *_words: None, epoch="e", poll_s=0  # type: ignore[arg-type]
    )  # fmt: skip
    books.want([A, B])
    reading = asyncio.create_task(books.run())
    while ("stale", (A,)) not in publisher.said:
        await asyncio.sleep(0.01)
        if (state := books.quote_state(A)) is not None:
            assert state.verified == "rest"
            assert books.beat(quotes=0).state == "degraded"
    reading.cancel()
    assert publisher.said[:2] == [("mark", (A,)), ("stale", (B,))], "a locked book is never quoted"
    assert books.quote_state(A) is None
    assert books.beat(quotes=0).books_live == 0
