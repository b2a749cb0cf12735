"""A tape cut into slices: every frame once, in order, with the numbers of its connection."""

from collections.abc import AsyncIterator
from decimal import Decimal
from operator import itemgetter
from typing import Any, cast

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from services.cli.bench.played import PlayedWorld
from services.cli.bench.playing import Player
from services.cli.bench.reel import KalshiClient, cut
from services.cli.bench.tape import Cue, Renderer, mirrors_of
from services.venue_sim.kalshi_frames import snapshot_body
from services.venue_sim.polymarket_frames import snapshot
from services.venue_sim.world import World
from shared.venues.kalshi.replay import replay as replay_kalshi

START_MS = 1_795_284_000_000


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_gone = False
        self.has_said_all = False

    def write(self, data: bytes) -> None:
        if self.has_said_all:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.written += data

    def is_closing(self) -> bool:
        return self.is_gone

    def frames(self) -> list[Any]:
        found, at = [], 0
        while at < len(self.written):
            size = self.written[at + 1]
            at += 2
            if size == 126:
                size, at = int.from_bytes(self.written[at : at + 2], "big"), at + 2
            found.append(msgspec.json.decode(self.written[at : at + size]))
            at += size
        return found


def busy_world() -> tuple[World, Renderer, list[Cue]]:
    world = World(
        seed=5, start_ms=START_MS, question_count=12, operations_per_s=800, plant_interval_ms=40, crowded=True
    )
    renderer = Renderer(world, mirrors_of(world.polymarket_markets))
    return world, renderer, [cue for some in renderer.render(START_MS, START_MS + 500) for cue in some]


def kalshi_client(world: World) -> tuple[Wire, KalshiClient]:
    wire = Wire()
    client = KalshiClient(wire)
    client.tickers = set(world.kalshi_markets)
    return wire, client


def test_each_client_gets_what_it_subscribed_in_order_and_numbered() -> None:
    world, _, cues = busy_world()
    wire, client = kalshi_client(world)
    tokens = {market.token_ids[0] for market in world.polymarket_markets.values()}
    other, left_out = Wire(), Wire()
    slices = [cut([cue], [client], {other: tokens, left_out: set()}) for cue in cues]
    sent = sum(piece.write() for piece in slices)
    assert [frame["seq"] for frame in wire.frames()] == list(range(1, len(wire.frames()) + 1))
    assert sent == len(wire.frames()) + len(other.frames()) == sum(len(cue.frames) for cue in cues)
    assert left_out.written == b""


def test_an_answer_in_between_moves_the_numbers_of_what_was_cut_before() -> None:
    world, _, cues = busy_world()
    wire, client = kalshi_client(world)
    first, second = cut(cues[:50], [client], {}), cut(cues[50:], [client], {})
    first.write()
    answered = client.next_seq()
    second.write()
    numbers = [frame["seq"] for frame in wire.frames()]
    assert numbers == [number for number in range(1, len(numbers) + 2) if number != answered]


@pytest.mark.parametrize("how", ["is_gone", "has_said_all"])
def test_who_has_left_gets_nothing(how: str) -> None:
    world, _, cues = busy_world()
    wire, client = kalshi_client(world)
    setattr(wire, how, True)
    assert cut(cues, [client], {wire: {"1"}}).write() == 0
    assert wire.written == b""


def test_kalshis_snapshots_are_as_old_as_what_was_played() -> None:
    world = World(seed=5, start_ms=START_MS, question_count=12, operations_per_s=800, crowded=True)
    renderer = Renderer(world, mirrors_of(world.polymarket_markets))
    played = PlayedWorld(world)

    def snapshots() -> list[bytes]:
        return [snapshot_body(played.kalshi_market(ticker), yes_scale=False) for ticker in world.kalshi_markets]

    before = snapshots()
    cues = [cue for some in renderer.render(START_MS, START_MS + 500) for cue in some]
    assert snapshots() == before
    played.note(cue.operation for cue in cues)
    after = snapshots()
    assert after != before
    assert after == [snapshot_body(market, yes_scale=False) for market in world.kalshi_markets.values()]


def test_a_crowded_world_holds_a_rate_beyond_one_operation_a_market_and_millisecond() -> None:
    """In an orderly one each wait of one market for its next millisecond makes all the others wait."""
    seconds = {}
    for crowded in (False, True):
        world = World(
            seed=5, start_ms=START_MS, question_count=12, operations_per_s=10_000, plant_interval_ms=0, crowded=crowded
        )
        done = [operation for step in range(20) for operation in world.step(START_MS + 10 * step)]
        seconds[crowded] = (max(operation.at_us for operation in done) - START_MS * 1_000) / 1_000_000
        last: dict[str, int] = {}
        for operation in done:
            assert operation.at_ms > last.get(operation.market.market_id, 0)
            last[operation.market.market_id] = operation.at_ms
    assert seconds[True] < 0.25 < seconds[False]


async def test_a_player_plays_a_tape_of_parts_and_tells_when_each_was_over() -> None:
    player = Player(World(seed=5, start_ms=START_MS, question_count=12, plant_interval_ms=40, crowded=True))
    told = await player.prepare([(400, 0.2), (100, 0.1)])
    assert "error" not in told
    played = await player.played_tape()
    first, second = played["part_ends_ns"]
    assert told["start_ms"] * 1_000_000 <= first < second
    assert played["messages"] == 0, "nobody has subscribed"
    assert played["part_rates"] == [0, 0]


async def test_who_subscribes_in_the_middle_of_a_tape_gets_the_book_of_that_moment_and_the_rest() -> None:
    world = World(
        seed=5, start_ms=START_MS, question_count=12, operations_per_s=400, plant_interval_ms=40, crowded=True
    )
    player = Player(world)
    cues = [cue for some in player.renderer.render(START_MS, START_MS + 500) for cue in some]
    half = len(cues) // 2
    early, late = player._cut(cues[:half]), player._cut(cues[half:])
    assert player._write(early) == 0
    wire = Wire()
    client = KalshiClient(wire)
    player.kalshi.add(client)
    tickers = sorted(world.kalshi_markets)
    command = {"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "market_tickers": tickers}}
    player._obey(client, command)
    assert player._write(late) == sum(len(cue.frames) for cue in cues[half:] if cue.is_kalshi)
    books = replay_kalshi([msgspec.json.encode(frame) for frame in wire.frames()]).books
    for ticker, market in world.kalshi_markets.items():
        bids = [
            (int(Decimal(price) * 10_000), int(Decimal(size) * 1_000_000)) for price, size in books[ticker].yes_bids
        ]
        assert bids == market.book.bids(), ticker


def test_polymarkets_first_books_are_as_old_as_what_was_played() -> None:
    world = World(seed=5, start_ms=START_MS, question_count=12, operations_per_s=800, crowded=True)
    renderer = Renderer(world, mirrors_of(world.polymarket_markets))
    played = PlayedWorld(world)
    tokens = {market.token_ids[0] for market in world.polymarket_markets.values()}
    before = played.polymarket_snapshots(tokens)
    cues = [cue for some in renderer.render(START_MS, START_MS + 500) for cue in some]
    assert played.polymarket_snapshots(tokens) == before
    played.note(cue.operation for cue in cues)
    assert played.polymarket_snapshots(tokens) == [
        snapshot(renderer.mirrors[market.market_id], 0, market.last_at_us // 1_000)
        for market in world.polymarket_markets.values()
    ]


class KalshiLine:
    """A connection that says what it was given and keeps what it is answered."""

    def __init__(self, *commands: dict[str, Any]) -> None:
        self.transport = Wire()
        self._commands = commands

    async def __aiter__(self) -> AsyncIterator[str]:
        for command in self._commands:
            yield msgspec.json.encode(command).decode()


async def test_every_subscription_of_a_kalshi_client_is_listed_or_the_client_would_hang_up() -> None:
    world = World(seed=5, start_ms=START_MS, question_count=12)
    ticker = next(iter(world.kalshi_markets))
    line = KalshiLine(
        {"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}},
        {"id": 2, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "market_tickers": [ticker]}},
        {"id": 3, "cmd": "list_subscriptions"},
    )
    await Player(world).talk_kalshi(cast("ServerConnection", line))
    lifecycle, books, _, listed = line.transport.frames()
    said = [lifecycle["msg"], books["msg"]]
    assert sorted(listed["msg"], key=itemgetter("sid")) == sorted(said, key=itemgetter("sid"))
    assert len({subscription["sid"] for subscription in said}) == 2
