"""The commands of Kalshi's WebSocket as text frames, and what is remembered of each until it is answered.

Kalshi AsyncAPI, read 2026-11-21.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from shared.domain.market import MarketId
from shared.venues.kalshi.channels import MARKET_CHANNELS
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
    CHANNEL = "channel"
    """A ``subscribe`` to another channel than that of the books."""
    LIST = "list_subscriptions"


class Command(msgspec.Struct, kw_only=True):
    """A command that was sent and not yet answered."""

    id: int
    kind: CommandKind
    tickers: tuple[MarketId, ...]
    channel: str = BOOK_CHANNEL
    sid: int = 0
    """0 for a subscription that has no sid yet."""
    sent_ns: int
    again_ns: int = 0
    """When to say it anew unless it is answered, because a part of it was refused; 0 for never."""
    waiting: set[MarketId]
    """Of ``get_snapshot``: the markets whose snapshot has not come."""

    def text(self, *, yes_price: bool) -> str:
        """Return the frame to send. ``use_yes_price`` is always said, because its default is going to change."""
        command: dict[str, Any] = {"id": self.id, "cmd": self._name}
        if self.kind is not CommandKind.LIST:
            command["params"] = self._params(yes_price)
        return msgspec.json.encode(command).decode()

    @property
    def _name(self) -> str:
        if self.kind is CommandKind.CHANNEL:
            return CommandKind.SUBSCRIBE.value
        whole = self.kind in {CommandKind.SUBSCRIBE, CommandKind.UNSUBSCRIBE, CommandKind.LIST}
        return self.kind.value if whole else "update_subscription"

    def _params(self, yes_price: bool) -> dict[str, Any]:
        match self.kind:
            case CommandKind.SUBSCRIBE:
                return {
                    "channels": [BOOK_CHANNEL],
                    "market_tickers": self.tickers,
                    "use_yes_price": yes_price,
                }
            case CommandKind.CHANNEL:
                named = {"market_tickers": self.tickers} if self.tickers and self.channel in MARKET_CHANNELS else {}
                return {"channels": [self.channel], **named}
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
