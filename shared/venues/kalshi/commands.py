"""The commands of Kalshi's WebSocket as text frames, and what is remembered of each until it is answered.

Kalshi AsyncAPI, read 2026-11-21.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from shared.domain.market import MarketId
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL
from shared.venues.kalshi.schema import BOOK_CHANNEL


class CommandKind(StrEnum):
    """What was asked."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    ADD = "add_markets"
    DELETE = "delete_markets"
    SNAPSHOT = "get_snapshot"
    AUDIT = "audit"
    """A ``get_snapshot`` for books that are believed, to compare them."""
    LIFECYCLE = "lifecycle"
    """A ``subscribe`` to what happens to markets; it has no list of tickers."""


class Command(msgspec.Struct, kw_only=True):
    """A command that was sent and not yet answered."""

    id: int
    kind: CommandKind
    tickers: tuple[MarketId, ...]
    sid: int = 0
    """0 for a subscription that has no sid yet."""
    sent_ns: int
    again_ns: int = 0
    """When to say it anew unless it is answered, because a part of it was refused; 0 for never."""
    waiting: set[MarketId]
    """Of ``get_snapshot``: the markets whose snapshot has not come."""

    def text(self, *, yes_price: bool) -> str:
        """Return the frame to send. ``use_yes_price`` is always said, because its default is going to change."""
        return msgspec.json.encode({"id": self.id, "cmd": self._name, "params": self._params(yes_price)}).decode()

    @property
    def _name(self) -> str:
        if self.kind is CommandKind.LIFECYCLE:
            return CommandKind.SUBSCRIBE.value
        whole = self.kind in {CommandKind.SUBSCRIBE, CommandKind.UNSUBSCRIBE}
        return self.kind.value if whole else "update_subscription"

    def _params(self, yes_price: bool) -> dict[str, Any]:
        match self.kind:
            case CommandKind.SUBSCRIBE:
                return {
                    "channels": [BOOK_CHANNEL],
                    "market_tickers": self.tickers,
                    "use_yes_price": yes_price,
                }
            case CommandKind.LIFECYCLE:
                return {"channels": [LIFECYCLE_CHANNEL]}
            case CommandKind.UNSUBSCRIBE:
                return {"sids": [self.sid]}
            case CommandKind.AUDIT:
                return {
                    "sids": [self.sid],
                    "action": CommandKind.SNAPSHOT.value,
                    "market_tickers": self.tickers,
                }
            case _:
                return {"sids": [self.sid], "action": self.kind.value, "market_tickers": self.tickers}


def chunked(tickers: Iterable[MarketId], size: int) -> Iterator[tuple[MarketId, ...]]:
    """Cut ``tickers`` into pieces of at most ``size``, in order."""
    whole: Sequence[MarketId] = tuple(tickers)
    for start in range(0, len(whole), size):
        yield tuple(whole[start : start + size])
