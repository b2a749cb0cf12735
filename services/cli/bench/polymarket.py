"""``dutchbook bench polymarket``: bytes of the market WebSocket to a verified book to its best price.

The same frames go through our session, without and with hash checking, through the naive baseline and, when it is
installed, through polyws. Rounds are interleaved and the least process CPU of each counts, so that a busy machine
slows all of them or none.
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence

import msgspec

from services.cli.bench import naive
from services.cli.output import write_line
from services.venue_sim import polymarket_frames
from services.venue_sim.book_hash import MirroredBook, mirrored
from services.venue_sim.markets import Operation, PolymarketMarket
from services.venue_sim.world import World
from shared.domain.market import MarketId
from shared.domain.numbers import decimal_from_text, price_text, size_text
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.events import BookChanged
from shared.venues.polymarket.session import PolymarketSession

_START_MS = 1_795_284_000_000
_RENDERED_PER_S = 20_000
_DEEP_LEVELS = 32
"""Added to each side far from the top: the venue's books have some forty levels a side, the simulator's eight."""
_DEEP_SIZE_E6 = 1_250_000
Reader = Callable[[Sequence[bytes]], int]
"""Reads the frames with books of its own and returns how many best prices it gave."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One way to read the frames."""

    name: str
    microseconds_per_frame: float
    times_naive: float
    best_prices: int
    """How many it gave: ours gives none inside a burst."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured in one run."""

    frames: int
    markets: int
    rounds: int
    figures: list[Figure]
    missing: list[str]
    """What was not measured because it is not installed."""


class Recording:
    """Frames of a simulated venue and what a feed knows about its markets."""

    def __init__(self, *, frames: int, seed: int) -> None:
        self.frames: list[bytes] = []
        self.assets: dict[str, AssetTerms] = {}
        self._mirrors: dict[str, MirroredBook] = {}
        world = World(seed=seed, start_ms=_START_MS, operations_per_s=_RENDERED_PER_S)
        for market in world.polymarket_markets.values():
            self._begin(market)
        dump = b",".join(polymarket_frames.snapshot(mirror, 0, _START_MS) for mirror in self._mirrors.values())
        self.frames.append(b"[" + dump + b"]")
        world.subscribe(self._on_operation)
        now_ms = _START_MS
        while len(self.frames) < frames:
            now_ms += 5
            world.step(now_ms)

    def _begin(self, market: PolymarketMarket) -> None:
        mirror = mirrored(market)
        bid_e4, ask_e4 = market.book.best_bid_e4() or 0, market.book.best_ask_e4() or 10_000
        for step in range(1, _DEEP_LEVELS + 1):
            if step < bid_e4 // 4:  # where a price near 0 or 1 will not wander to: the book must never be crossed
                mirror.set_level("bid", step, _DEEP_SIZE_E6 * step)
            if step < (10_000 - ask_e4) // 4:
                mirror.set_level("ask", 10_000 - step, _DEEP_SIZE_E6 * step)
        self._mirrors[market.market_id] = mirror
        self.assets[market.token_ids[0]] = AssetTerms(
            market_id=MarketId(market.market_id),
            condition_id=market.market_id,
            min_order_size=size_text(market.min_contracts_e6),
            tick_size=price_text(market.tick_e4),
            neg_risk=market.event.neg_risk,
        )

    def _on_operation(self, operation: Operation) -> None:
        if isinstance(operation.market, PolymarketMarket):
            mirror = self._mirrors[operation.market.market_id]
            top_moved = polymarket_frames.apply(mirror, operation)
            burst = polymarket_frames.burst(mirror, operation, top_moved=top_moved)
            self.frames += burst.changes
            self.frames += [pair[0] for pair in (burst.books, burst.trades) if pair is not None]


def measure(*, frames: int, rounds: int, seed: int) -> Report:
    """Return the figures of one run."""
    recording = Recording(frames=frames, seed=seed)
    unchecked = {
        token: AssetTerms(market_id=terms.market_id, condition_id=terms.condition_id)
        for token, terms in recording.assets.items()
    }
    readers: dict[str, Reader] = {
        "naive": lambda told: _read_naively(told, set(recording.assets)),
        "dutchbook": lambda told: _read_by_session(told, unchecked),
        "dutchbook with every hash": lambda told: _read_by_session(told, recording.assets),
    }
    missing: list[str] = []
    try:
        polyws_reader = _polyws_reader()
    except ImportError:
        missing.append("polyws")
    else:
        readers["polyws"] = polyws_reader
    cpu_ns, given = _timed(readers, recording.frames, rounds)
    return Report(
        frames=len(recording.frames),
        markets=len(recording.assets),
        rounds=rounds,
        figures=[
            Figure(
                name=name,
                microseconds_per_frame=round(cpu_ns[name] / 1_000 / len(recording.frames), 3),
                times_naive=round(cpu_ns["naive"] / cpu_ns[name], 2),
                best_prices=given[name],
            )
            for name in readers
        ],
        missing=missing,
    )


def print_report(report: Report) -> None:
    """Write the figures for people."""
    write_line(f"{report.frames} frames of {report.markets} markets, the best of {report.rounds} interleaved rounds")
    for figure in report.figures:
        write_line(
            f"{figure.name:26} {figure.microseconds_per_frame:8.2f} us per frame {figure.times_naive:6.2f} x naive"
        )
    for name in report.missing:
        write_line(f"{name} is not installed and was not measured")


def _timed(readers: dict[str, Reader], frames: Sequence[bytes], rounds: int) -> tuple[dict[str, int], dict[str, int]]:
    least_ns: dict[str, int] = {}
    given: dict[str, int] = {}
    for _ in range(rounds):
        for name, read in readers.items():
            began_ns = time.process_time_ns()
            given[name] = read(frames)
            took_ns = time.process_time_ns() - began_ns
            least_ns[name] = min(took_ns, least_ns.get(name, took_ns))
    return least_ns, given


def _read_by_session(frames: Sequence[bytes], assets: dict[str, AssetTerms]) -> int:
    """Read as the feed does: hashes are checked after each frame, as they are when frames come one by one."""
    session = PolymarketSession(assets)
    session.connected()
    receive, settle, book_state = session.receive, session.settle, session.book_state
    given = 0
    for frame in frames:
        events = receive(frame, 0)
        settle()
        for event in events:
            if type(event) is BookChanged and (state := book_state(event.market_id)) is not None:
                given += state.book.best_bid_e4 < state.book.best_ask_e4
    assert not session.refused, session.refused
    assert not session.hash_mismatches, session.hash_mismatches
    return given


def _read_naively(frames: Sequence[bytes], tokens: set[str]) -> int:
    books: dict[str, naive.Book] = {}
    given = 0
    for frame in frames:
        told = json.loads(frame)
        for event in told if isinstance(told, list) else [told]:
            for token in naive.apply_event(event, books):
                if token in tokens:
                    book = books[token]
                    bid = max(book.bids) if book.bids else decimal_from_text("0")
                    ask = min(book.asks) if book.asks else decimal_from_text("1")
                    given += bid < ask
    return given


def _polyws_reader() -> Reader:
    """Return a reader with polyws' own parser and books (0.2.3). Raises ImportError when it is not installed."""
    types = importlib.import_module("polyws.types")
    order_book = importlib.import_module("polyws.order_book")

    def read(frames: Sequence[bytes]) -> int:
        books = order_book.OrderBookCache()
        given = 0
        for frame in frames:
            told = json.loads(frame)
            for raw in told if isinstance(told, list) else [told]:
                event = types.parse_event(raw)
                if isinstance(event, types.BookEvent):
                    books.replace_book(event)
                elif isinstance(event, types.PriceChangeEvent):
                    event.price_changes = [one for one in event.price_changes if books.get_book_entry(one.asset_id)]
                    books.upsert_price_change(event)
                    entry = books.get_book_entry(event.price_changes[0].asset_id)
                    given += bool(entry.bids and entry.asks and entry.bids[-1].price < entry.asks[0].price)
        return given

    return read
