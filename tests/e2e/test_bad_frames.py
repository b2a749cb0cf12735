"""A venue sends nonsense in the middle of a live feed: it is counted, the feed goes on, and its books are right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from services.cli.simulated import write_mappings
from shared.domain.market import Venue
from tests.e2e.pipeline import Pipeline, all_quoted, levels_of, pipeline, unquoted, venue_book
from tests.waiting import eventually

NONSENSE: tuple[str | bytes, ...] = (
    "",
    "{",
    "null",
    "[1, 2",
    "12345678901234567890123456789",
    '"PONG PING"',
    "\ud7ff\u202e",
    b"\xff\xfe\x00",
    b"\x80" * 2_000,
    "[" * 5_000,
    '{"type":"orderbook_delta","sid":"one","seq":-1,"msg":[]}',
    '{"type":"orderbook_delta","sid":1,"seq":1e400,"msg":{"market_ticker":7}}',
    '{"type":"orderbook_snapshot","sid":1,"msg":{"yes_dollars_fp":[["NaN","Infinity"]]}}',
    '{"event_type":"price_change","market":"0x0","price_changes":[{"price":"NaN"}],"timestamp":"x"}',
    '[{"event_type":"book","market":"0x0","asset_id":"1","bids":"none"}]',
    '{"event_type":"book","timestamp":"99999999999999999999999999","bids":[{"price":"-1","size":"1e999"}]}',
)


class Interloper:
    """Stands between a feed and its venue, passes everything on, and can add frames that the venue never sent."""

    def __init__(self, venue_url: str) -> None:
        self._venue_url = venue_url
        self._clients: set[ServerConnection] = set()

    async def say(self, frames: tuple[str | bytes, ...]) -> None:
        """Send these frames to every feed that is connected."""
        assert self._clients
        for client in self._clients:
            for frame in frames:
                await client.send(frame)

    async def serve(self, client: ServerConnection) -> None:
        """Pass on one connection until either side ends it."""
        assert client.request is not None
        headers = {name: text for name, text in client.request.headers.raw_items() if name.startswith("KALSHI-")}
        async with websockets.connect(
            self._venue_url, additional_headers=headers, compression=None, max_size=None, proxy=None
        ) as venue:
            self._clients.add(client)
            try:
                await asyncio.gather(_pass_on(client, venue), _pass_on(venue, client))
            except ConnectionClosed:
                return
            finally:
                self._clients.discard(client)


async def _pass_on(source: ServerConnection | ClientConnection, target: ServerConnection | ClientConnection) -> None:
    async for frame in source:
        await target.send(frame)
    await target.close()


@asynccontextmanager
async def between(venue_url: str) -> AsyncIterator[tuple[Interloper, str]]:
    """Yield an interloper and its address, with the path of the venue, which is part of what is signed."""
    interloper = Interloper(venue_url)
    async with websockets.serve(interloper.serve, "127.0.0.1", 0, compression=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        path = venue_url.partition("://")[2].partition("/")[2]
        yield interloper, f"ws://127.0.0.1:{port}/{path}"


def refused(pipe: Pipeline, venue: Venue) -> int:
    beat = pipe.beat(venue)
    return 0 if beat is None else beat.refused


def is_right(pipe: Pipeline, venue: Venue) -> bool:
    """Whether some moment's quote of every market is the venue's book of that moment."""
    catalog = pipe.catalog(venue)

    def agrees(market_id: str, part: int) -> bool:
        quote = pipe.quote(venue, market_id, part)
        return quote is not None and levels_of(quote) == venue_book(pipe, venue, catalog[market_id])

    for pair in pipe.live_pairs():
        eventually(lambda pair=pair: agrees(pair.market_id(venue), pair.partition), what=lambda pair=pair: pair.pair_id)
    return True


async def test_nonsense_from_both_venues_is_counted_and_every_book_is_right_afterwards(
    tmp_path: Path, redis_url: str
) -> None:
    with pipeline(tmp_path, redis_url) as pipe:
        await asyncio.to_thread(pipe.start_simulator, VENUE_SIM_RATE="30", VENUE_SIM_QUESTIONS="12")
        venues = pipe.simulator
        async with (
            between(venues["kalshi"]["ws_url"]) as (kalshi, kalshi_url),
            between(venues["polymarket"]["ws_url"]) as (polymarket, polymarket_url),
        ):
            curated = pipe.control("/mappings")["pairs"]
            mappings = write_mappings(tmp_path, curated)
            pipe.start("kalshi_feed", KALSHI_WS_URL=kalshi_url, KALSHI_FEED_DEPTH="1000")
            pipe.start("polymarket_feed", POLYMARKET_WS_URL=polymarket_url, POLYMARKET_FEED_DEPTH="1000")
            pipe.start("matcher", MATCHER_MAPPINGS_DIR=str(mappings))
            await asyncio.to_thread(eventually, lambda: len(pipe.live_pairs()) == len(curated), what=pipe.live_pairs)
            await asyncio.to_thread(eventually, lambda: all_quoted(pipe), what=lambda: unquoted(pipe))
            for venue, interloper in ((Venue.KALSHI, kalshi), (Venue.POLYMARKET, polymarket)):
                before = refused(pipe, venue)  # one text may pass for the reply to a command
                await interloper.say(NONSENSE)
                await asyncio.to_thread(
                    eventually,
                    lambda venue=venue, before=before: refused(pipe, venue) >= before + len(NONSENSE) - 1,
                    what=lambda venue=venue: pipe.beat(venue),
                )
                assert await asyncio.to_thread(is_right, pipe, venue)
            await asyncio.to_thread(pipe.stop_all)
