"""Taking quotes and beats as they are read: in the order of the streams, and not before all that lay there is read."""

import asyncio
import logging
from collections.abc import Collection

from services.arb_detector.basket_desk import BasketDesk
from services.arb_detector.bus import StreamReader, quote_streams
from services.arb_detector.core import Detector
from services.arb_detector.legs import QuoteInPart
from services.arb_detector.publisher import Publisher
from services.arb_detector.rounds import Rounds
from shared.domain.pair import PARTITIONS
from shared.io.bus import Entry

_CATCH_UP_S = 1.0
"""How long Redis may take to bring the rest: quotes that nothing follows are believed then, as far as they may be."""

log = logging.getLogger(__name__)


class Intake:
    """Feeds pairs and baskets. ``missed`` is set when something was lost on the way, for whoever asks for it anew."""

    def __init__(self, detector: Detector, baskets: BasketDesk, publisher: Publisher, rounds: Rounds) -> None:
        self._detector = detector
        self._baskets = baskets
        self._publisher = publisher
        self._rounds = rounds
        self._held: list[QuoteInPart] = []
        """Quotes that came right after this process stood still: not believed before the rest has been read."""
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self._lost = 0
        self.reader = StreamReader()
        self.missed = asyncio.Event()

    def take(self, entries: list[Entry]) -> bool:
        """Take what was read; return whether more must be read before it counts.

        After this process stood still the read that was pending brings what came first, and only the next one the rest.
        """
        quotes, beats = self.reader.read(entries)
        for beat in beats:
            self._detector.take_beat(beat)
            self._baskets.take_beat(beat)
        self._held += quotes
        is_more_wanted = bool(entries) and self._caught_up.is_set() and self._rounds.stood_still()
        if is_more_wanted:
            self._caught_up.clear()
        else:
            self._take_held()
        if self.reader.lost > self._lost:
            log.warning("quotes.lost", extra={"messages": self.reader.lost - self._lost})
            self._lost = self.reader.lost
            self.missed.set()
        return is_more_wanted

    def begin_again(self) -> None:
        """All is read again from the beginning, and what was seen before may be newer than what comes before it."""
        self.reader.forget(quote_streams(range(PARTITIONS)))
        self.missed.set()

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget what of them is not taken yet, and where they had got to."""
        self._held = [quote for quote in self._held if quote[0] not in parts]
        self.reader.forget(quote_streams(parts))

    async def catch_up(self) -> None:
        """Wait until what was written while this process stood still has been read, once the loop has looked for it."""
        for _ in range(2):
            await asyncio.sleep(0)
        try:
            await asyncio.wait_for(self._caught_up.wait(), _CATCH_UP_S)
        except TimeoutError:
            self._take_held()

    def _take_held(self) -> None:
        quotes, self._held = self._held, []
        self._caught_up.set()
        if quotes:
            self._publisher.publish(self._detector.take_quotes(quotes))
            self._baskets.take_quotes(quotes)
            self._rounds.wake_if_due_earlier()
