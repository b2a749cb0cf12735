"""What is played to both pipelines: frames of both venues with the moments they are due, and the edges they open.

A tape is rendered ahead of time, so that playing it costs next to nothing. The world behind it is the simulator's; an
edge is said to open when, after an operation, the simulator's own exact arithmetic finds one where there was none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.venue_sim import polymarket_frames
from services.venue_sim.book_hash import MirroredBook, mirrored
from services.venue_sim.kalshi_frames import delta_bodies
from services.venue_sim.markets import KalshiMarket, Operation, PolymarketMarket, SimQuestion
from services.venue_sim.pricing import best_edge
from services.venue_sim.views import BookView, Direction, offers, terms_of
from services.venue_sim.world import World


@dataclass(frozen=True, slots=True)
class Opening:
    """A direction of a pair that begins to pay."""

    kalshi_ticker: str
    condition_id: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Cue:
    """The frames of one operation."""

    due_us: int
    market_id: str
    is_kalshi: bool
    frames: tuple[bytes, ...]
    """Kalshi: bodies without type, sid and seq. Polymarket: whole frames."""
    operation: Operation
    opens: tuple[Opening, ...] = ()


@dataclass
class Renderer:
    """Turns the world's operations into cues; it follows the world from its creation on."""

    world: World
    mirrors: dict[str, MirroredBook]
    _cues: list[Cue] = field(default_factory=list)
    _paying: set[Opening] = field(default_factory=set)
    _tops: dict[str, tuple[int | None, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.subscribe(self._on_operation)

    def render(self, from_ms: int, to_ms: int) -> Iterator[list[Cue]]:
        """Step the world through a stretch of time and yield its cues, a few milliseconds at a time."""
        for now_ms in range(from_ms, to_ms, 5):
            self.world.step(now_ms)
            yield self.take()

    def take(self) -> list[Cue]:
        """Return the cues since the last call."""
        cues, self._cues = self._cues, []
        return cues

    def _on_operation(self, operation: Operation) -> None:
        market = operation.market
        if isinstance(market, KalshiMarket):
            frames = tuple(delta_bodies(operation, yes_scale=False))
        else:
            mirror = self.mirrors[market.market_id]
            polymarket_frames.apply(mirror, operation)
            burst = polymarket_frames.burst(mirror, operation, top_moved=False)
            after_trade = (burst.books[0],) if burst.books else ()
            trades = (burst.trades[0],) if burst.trades else ()
            frames = (*burst.changes, *after_trade, *trades)
        opens = tuple(
            opening
            for question in self.world.questions_of[market.market_id]
            if question.kind in ("template", "curated")
            for opening in self._opened(question)
        )
        self._cues.append(
            Cue(operation.at_us, market.market_id, isinstance(market, KalshiMarket), frames, operation, opens)
        )

    def _opened(self, question: SimQuestion) -> list[Opening]:
        """Return the directions that pay since now; priced only when one of the four best prices has moved."""
        ours, theirs = question.kalshi.book, question.polymarket.book
        tops = (ours.best_bid_e4(), ours.best_ask_e4(), theirs.best_bid_e4(), theirs.best_ask_e4())
        if self._tops.get(question.label) == tops:
            return []
        self._tops[question.label] = tops
        opened = []
        both = offers(BookView.of(ours), BookView.of(theirs), question.orientation)
        for direction, (kalshi, polymarket) in both.items():
            opening = Opening(question.kalshi.market_id, question.polymarket.market_id, direction)
            pays = False
            if kalshi and polymarket and kalshi[0][0] + polymarket[0][0] < 10_000:
                edge = best_edge(kalshi, polymarket, terms_of(question))
                pays = edge is not None and edge.dollars > 0
            if pays and opening not in self._paying:
                opened.append(opening)
            (self._paying.add if pays else self._paying.discard)(opening)
        return opened


def mirrors_of(markets: dict[str, PolymarketMarket]) -> dict[str, MirroredBook]:
    """Return the venue's own view of every Polymarket book, hashes included."""
    return {market_id: mirrored(market) for market_id, market in markets.items()}
