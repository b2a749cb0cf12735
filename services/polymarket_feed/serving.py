"""The streaming half of the feed, wired: connections for what is wanted, each compared with REST."""

import asyncio
import logging
from itertools import count
from random import SystemRandom

from services.polymarket_feed.audit import GRACE_S, Auditor
from services.polymarket_feed.beat import beat
from services.polymarket_feed.core import agreeing, tokens_of_baskets, tokens_of_pairs
from services.polymarket_feed.discovery import Discovery
from services.polymarket_feed.fleet import Fleet
from services.polymarket_feed.gate import Gate
from services.polymarket_feed.live_books import LiveBooks
from services.polymarket_feed.settings import Settings
from shared.contracts.health import FeedBeat
from shared.io.frame_link import FrameLink
from shared.io.http import HttpClient
from shared.io.websocket import dial
from shared.runtime.feed_life import FeedLife

log = logging.getLogger(__name__)


class Streaming:
    """Everything that streams books: ``auditor.run`` is to be run; the links are tasks of ``tasks``."""

    def __init__(
        self, settings: Settings, clob: HttpClient, discovery: Discovery, life: FeedLife, tasks: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._discovery = discovery
        self._life = life
        self._numbers = count()
        self._fleet = Fleet(
            self._new_books,
            self._open_link,
            life.publisher,
            tasks,
            per_connection=settings.assets_per_connection,
            renew_s=settings.renew_s,
            jitter=SystemRandom(),
        )
        self.auditor = Auditor(clob, life.clock, lambda: self._fleet.connections, audit_s=settings.audit_s)
        self.news = asyncio.Event()
        """Set when a connection has its first books."""

    def want(self) -> None:
        """Stream what live pairs and baskets want and the listing agrees with."""
        pairs, baskets = self._life.pairs.pairs.values(), self._life.baskets.baskets.values()
        known = self._discovery.known
        wanted, refused = agreeing((*tokens_of_pairs(pairs), *tokens_of_baskets(baskets)), known)
        if refused:
            log.error("pairs.refused", extra={"markets": sorted(refused), "reason": "the listing names other tokens"})
        self._fleet.want(wanted, known, self._discovery.neg_risk)

    def beats(self) -> list[FeedBeat]:
        """Return what can be said about each connection now."""
        life = self._life
        return [beat(books, life.clock, quotes=life.publisher.quotes) for books in self._fleet.connections]

    def end(self, reason: str) -> None:
        """Hang up and withdraw every quote."""
        self._fleet.cancel()
        for books in self._fleet.connections:
            self._life.publisher.stale(books.session.market_ids(), reason)

    def _new_books(self, name: str, gate: Gate) -> LiveBooks:
        audit_s = self._settings.audit_s
        return LiveBooks(
            gate,
            self._discovery,
            self._life.clock,
            name=f"{self._life.epoch}-{name}-{next(self._numbers)}",
            pong_s=self._settings.pong_s,
            unverified_s=max(2.0 * audit_s, audit_s + GRACE_S + 1.0),
            resync=self.auditor.resync,
            announce=self.news.set,
        )

    async def _open_link(self) -> FrameLink:
        return await dial(self._settings.ws_url)
