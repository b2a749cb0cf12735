"""The benchmark's tape: what is played is what the venues would have said, and REST knows no more than was played."""

from services.cli.bench.played import PlayedWorld
from services.cli.bench.reel import framed
from services.cli.bench.tape import Cue, Renderer, mirrors_of
from services.venue_sim import polymarket_live
from services.venue_sim.kalshi_frames import sequenced, snapshot_body
from services.venue_sim.world import World
from shared.venues.kalshi.replay import replay as replay_kalshi

START_MS = 1_795_284_000_000


def world_and_tape(*, seconds: float = 1.0) -> tuple[World, Renderer, list[bytes], list[Cue]]:
    """Return a small busy world, its renderer, the opening Kalshi snapshots, and a tape played to its end."""
    world = World(seed=5, start_ms=START_MS, question_count=12, operations_per_s=800, plant_interval_ms=40)
    renderer = Renderer(world, mirrors_of(world.polymarket_markets))
    snapshots = [snapshot_body(market, yes_scale=False) for market in world.kalshi_markets.values()]
    cues = [cue for some in renderer.render(START_MS, START_MS + int(seconds * 1_000)) for cue in some]
    return world, renderer, snapshots, cues


def test_a_played_tape_leaves_every_kalshi_book_as_the_world_has_it() -> None:
    world, _, snapshots, cues = world_and_tape()
    bodies = [("orderbook_snapshot", body) for body in snapshots]
    bodies += [("orderbook_delta", body) for cue in cues if cue.is_kalshi for body in cue.frames]
    lines = [b'{"id":1,"type":"subscribed","msg":{"channel":"orderbook_delta","sid":1}}']
    lines += [sequenced(kind, 1, seq, body) for seq, (kind, body) in enumerate(bodies, start=1)]
    books = replay_kalshi(lines).books
    for ticker, market in world.kalshi_markets.items():
        bids = [
            (round(float(price) * 10_000), round(float(size) * 1_000_000)) for price, size in books[ticker].yes_bids
        ]
        assert bids == market.book.bids(), ticker
    assert len(bodies) > 300


def test_edges_open_where_the_simulators_own_arithmetic_finds_them() -> None:
    world, _, _, cues = world_and_tape(seconds=3.0)
    openings = [opening for cue in cues for opening in cue.opens]
    mapped = {
        (question.kalshi.market_id, question.polymarket.market_id)
        for question in world.questions
        if question.kind in ("template", "curated")
    }
    assert openings
    assert {(opening.kalshi_ticker, opening.condition_id) for opening in openings} <= mapped


def test_rest_knows_only_what_was_played() -> None:
    world = World(seed=5, start_ms=START_MS, question_count=12, operations_per_s=800, plant_interval_ms=0)
    renderer = Renderer(world, mirrors_of(world.polymarket_markets))
    played = PlayedWorld(world)
    venue = polymarket_live.create_app(played, now_ms=lambda: START_MS)[polymarket_live.VENUE]
    tokens = [market.token_ids[0] for market in world.polymarket_markets.values()]
    before = [venue.book(token) for token in tokens]
    cues = [cue for some in renderer.render(START_MS, START_MS + 500) for cue in some]
    assert [venue.book(token) for token in tokens] == before
    played.note(cue.operation for cue in cues)
    assert [venue.book(token) for token in tokens] == before, "noted, and nobody has asked yet"
    played.catch_up()
    after = [venue.book(token) for token in tokens]
    assert after != before
    assert [book["hash"] for book in after if book] == [
        renderer.mirrors[market.market_id].hash(0, market.last_at_us // 1_000 or START_MS)
        for market in world.polymarket_markets.values()
    ]


def test_a_frame_carries_its_length_in_two_four_or_ten_bytes() -> None:
    assert framed(b"x" * 125)[:2] == b"\x81\x7d"
    assert framed(b"x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert framed(b"x" * 65_536)[:10] == b"\x81\x7f" + (65_536).to_bytes(8, "big")
