"""Which listed markets are sides of which game, kept up to date one market at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.matcher.mapping_files import Mappings
from services.matcher.templates import (
    GameKey,
    KalshiGame,
    NotInTemplate,
    PolymarketGame,
    SeriesTemplate,
)
from shared.domain.market import Market, MarketId, MarketStatus, Venue

_LISTED = frozenset({MarketStatus.UNOPENED, MarketStatus.OPEN, MarketStatus.PAUSED})


@dataclass(slots=True)
class Game:
    """The markets of one game on both venues."""

    kalshi: dict[MarketId, KalshiGame] = field(default_factory=dict)
    polymarket: dict[MarketId, PolymarketGame] = field(default_factory=dict)

    @property
    def ambiguity(self) -> str:
        """Why the sides cannot be paired one to one; empty when they can, or when a venue lists nothing."""
        if len(self.polymarket) > 1:
            return f"{len(self.polymarket)} polymarket markets: {', '.join(sorted(self.polymarket))}"
        events = {game.event_ticker for game in self.kalshi.values()}
        if len(events) > 1:
            return f"{len(events)} kalshi events: {', '.join(sorted(events))}"
        if len({game.yes_team for game in self.kalshi.values()}) < len(self.kalshi):
            return f"two kalshi markets for one team: {', '.join(sorted(self.kalshi))}"
        return ""

    def pairs(self) -> Iterator[tuple[MarketId, KalshiGame, MarketId, PolymarketGame]]:
        """Yield each Kalshi side with the one Polymarket market; nothing while the game is ambiguous."""
        if self.ambiguity:
            return
        for polymarket_id, moneyline in self.polymarket.items():
            for ticker, game in self.kalshi.items():
                yield ticker, game, polymarket_id, moneyline


class Games:
    """All games of the templates, by key."""

    def __init__(self, mappings: Mappings) -> None:
        self._grammar = mappings.grammar
        self.templates: Mapping[str, SeriesTemplate] = mappings.grammar.templates
        self._games: defaultdict[GameKey, Game] = defaultdict(Game)
        self._key: dict[tuple[Venue, MarketId], GameKey] = {}
        self.contradictions: dict[tuple[Venue, MarketId], str] = {}
        """Listings that have a template's shape and contradict it, with how."""

    def game(self, key: GameKey) -> Game:
        """Return one game; an empty one when nothing is listed."""
        return self._games.get(key, Game())

    def keys(self) -> list[GameKey]:
        """Return every game of which something is listed."""
        return list(self._games)

    def put(self, market: Market) -> set[GameKey]:
        """Take in a listing, new or changed, and return the games that it touches."""
        touched = self.remove(market.venue, market.market_id)
        if market.status not in _LISTED or market.never_match:
            return touched
        try:
            side = self._grammar.side(market)
        except NotInTemplate as contradiction:
            self.contradictions[market.venue, market.market_id] = str(contradiction)
            return touched
        if side is None:
            return touched
        game = self._games[side.key]
        if isinstance(side, KalshiGame):
            game.kalshi[market.market_id] = side
        else:
            game.polymarket[market.market_id] = side
        self._key[market.venue, market.market_id] = side.key
        return touched | {side.key}

    def remove(self, venue: Venue, market_id: MarketId) -> set[GameKey]:
        """Forget a listing and return the games that it touches."""
        self.contradictions.pop((venue, market_id), None)
        key = self._key.pop((venue, market_id), None)
        if key is None:
            return set()
        game = self._games[key]
        game.kalshi.pop(market_id, None)
        game.polymarket.pop(market_id, None)
        if not game.kalshi and not game.polymarket:
            del self._games[key]
        return {key}
