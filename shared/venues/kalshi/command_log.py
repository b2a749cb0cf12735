"""The commands of one connection that were sent and not yet answered, and the text of those that wait to be sent.

Time is told, not asked for: ``now_ns`` is set by whoever lets time pass, in monotonic nanoseconds.
"""

from shared.domain.market import MarketId
from shared.venues.kalshi.commands import Command, CommandKind
from shared.venues.kalshi.schema import BOOK_CHANNEL

SNAPSHOTS = frozenset({CommandKind.SNAPSHOT, CommandKind.AUDIT})
"""Commands that are answered by snapshots."""


class CommandLog:
    """Numbers commands, keeps them until they are answered, and knows what is under way."""

    def __init__(self, *, yes_price: bool) -> None:
        self._yes_price = yes_price
        self._next_id = 1
        self.now_ns = 0
        self.is_open = False
        """Whether there is a connection to speak on."""
        self.pending: dict[int, Command] = {}
        self.outbox: list[str] = []

    def forget(self) -> None:
        """Start over: ids mean nothing on another connection."""
        self._next_id = 1
        self.pending.clear()
        self.outbox.clear()

    def send(
        self, kind: CommandKind, tickers: tuple[MarketId, ...], *, sid: int = 0, channel: str = BOOK_CHANNEL
    ) -> None:
        """Put a command on its way."""
        command = Command(
            id=self._next_id,
            kind=kind,
            tickers=tickers,
            channel=channel,
            sid=sid,
            sent_ns=self.now_ns,
            waiting=set(tickers),
        )
        self._next_id += 1
        if kind is not CommandKind.UNSUBSCRIBE:  # nothing depends on its answer: the sid is left already
            self.pending[command.id] = command
        self.outbox.append(command.text(yes_price=self._yes_price))

    def awaits(self, kind: CommandKind) -> bool:
        """Whether a command of this kind is not answered yet."""
        return any(command.kind is kind for command in self.pending.values())

    def kind_of(self, command_id: int | None) -> CommandKind | None:
        """Return what was asked with this id, while it is not answered."""
        command = self.pending.get(command_id or 0)
        return None if command is None else command.kind

    def book_tickers_under_way(self) -> set[MarketId]:
        """Return the markets of whose books something was asked."""
        books = (command for command in self.pending.values() if command.channel == BOOK_CHANNEL)
        return {ticker for command in books for ticker in command.tickers}

    def awaited_snapshots(self) -> set[MarketId]:
        """Return the markets whose answer has not come."""
        return {ticker for command in self.pending.values() for ticker in command.waiting}

    def snapshot_came(self, market_id: MarketId) -> None:
        """Tick off a market whose snapshot came; a command without any left is answered."""
        for command in [command for command in self.pending.values() if command.kind in SNAPSHOTS]:
            command.waiting.discard(market_id)
            if not command.waiting:
                del self.pending[command.id]

    def forget_sid(self, sid: int) -> None:
        """Expect no more answers about a sid."""
        for key in [key for key, command in self.pending.items() if command.sid == sid]:
            del self.pending[key]
