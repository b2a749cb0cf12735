"""Comparing books with REST: each half minute all of them, at once those in doubt, often those that live on REST alone.

A market WebSocket may answer PONG for hours and say nothing else (py-clob-client issue #292, 2026-03-05). Such a
connection is found here: REST shows a newer book, and a little later the connection still has not.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from services.polymarket_feed.live_books import LiveBooks
from shared.domain.market import MarketId
from shared.io.http import HttpClient, HttpUnavailable
from shared.runtime.clock import Clock
from shared.venues.polymarket.asset_book import Phase
from shared.venues.polymarket.rest import RestBook, RestRefused, books_request, read_books
from shared.venues.polymarket.rest_check import RestVerdict
from shared.venues.polymarket.schema import timestamp_ms
from shared.venues.polymarket.urls import BOOKS_PATH, BOOKS_PER_CALL

GRACE_S = 2.0
"""How long a connection may take to bring what REST already shows."""
_FIRST_AUDIT_S = 0.5
_REST_ONLY_S = 3.0
_REST_SILENT_S = 10.0
_RETRY_S = 0.5
_LEAST_S = 0.25
"""Between two requests: a flood of doubts must not become a flood of requests."""

log = logging.getLogger(__name__)


class Auditor:
    """Asks REST for books, on its own pace and when somebody doubts one."""

    def __init__(
        self,
        clob: HttpClient,
        clock: Clock,
        connections: Callable[[], Sequence[LiveBooks]],
        *,
        audit_s: float,
        grace_s: float = GRACE_S,
    ) -> None:
        self._clob = clob
        self._clock = clock
        self._connections = connections
        self._audit_s = audit_s
        self._grace_s = grace_s
        self._wanted = asyncio.Event()
        self._asked_s = clock.monotonic_s() - _LEAST_S
        self._answered_s = clock.monotonic_s()
        self.audits = 0
        """Books compared since the start."""
        self.disagreed = 0
        """Books that were not what REST said."""
        self.frozen = 0
        """Connections dropped because they had fallen silent."""

    def resync(self) -> None:
        """Some connection wants books from REST now."""
        self._wanted.set()

    async def run(self) -> None:
        """Compare and fetch, for ever."""
        async with asyncio.TaskGroup() as tasks:
            await self._compare_and_fetch(tasks)

    async def _compare_and_fetch(self, tasks: asyncio.TaskGroup) -> None:
        next_audit_s = self._clock.monotonic_s() + _FIRST_AUDIT_S
        while True:
            await self._pause(next_audit_s)
            is_due = self._clock.monotonic_s() >= next_audit_s
            for books in self._connections() if is_due else ():
                books.resync_wanted.update(books.session.market_ids(Phase.LOST))
            await self._fetch_wanted()
            fresh = [books for books in self._connections() if books.wants_first_audit]
            if is_due:
                next_audit_s = self._clock.monotonic_s() + self._audit_s
            ahead = await self._audit(self._connections() if is_due else fresh)
            if ahead:
                tasks.create_task(self._wait_for_the_stream(ahead))  # lost books need not wait for it as well

    async def _pause(self, next_audit_s: float) -> None:
        rest_only = any(books.session.rest_only_tokens() for books in self._connections())
        is_new = any(books.wants_audit for books in self._connections())
        longest_s = _FIRST_AUDIT_S if is_new else _REST_ONLY_S if rest_only else self._audit_s
        wait_s = min(next_audit_s - self._clock.monotonic_s(), longest_s)
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await self._wanted.wait()
        except TimeoutError:
            return
        await asyncio.sleep(max(0.0, self._asked_s + _LEAST_S - self._clock.monotonic_s()))

    async def _fetch_wanted(self) -> None:
        """Put REST books in place of lost ones and of those that have no other source."""
        self._wanted.clear()
        for books in self._connections():
            doubted = {token for market in books.resync_wanted if (token := books.session.token_of(market))}
            rest_only = books.session.rest_only_tokens()
            books.resync_wanted.clear()
            tokens = sorted(doubted.union(rest_only))
            answered = await self._ask(tokens) if tokens else []
            if answered is None:
                self._try_again(books, doubted, rest_only)
                continue
            now_ns = self._clock.now_ns()
            verdicts = {rest.asset_id: books.take_rest_book(rest, now_ns) for rest in answered}
            self.disagreed += sum(verdict is RestVerdict.REPLACED for verdict in verdicts.values())
            unsure = set(books.session.unsure_ids())
            older = {token for token, verdict in verdicts.items() if verdict is RestVerdict.OLDER}
            if again := unsure & _markets_of(books, older):
                self._ask_again(books, again)

    def _try_again(self, books: LiveBooks, doubted: set[str], rest_only: list[str]) -> None:
        """REST did not answer: what lives on it alone is withdrawn after a while, what is in doubt asked for again."""
        self._ask_again(books, _markets_of(books, doubted))
        if rest_only and self._clock.monotonic_s() - self._answered_s > _REST_SILENT_S:
            alone = sorted(_markets_of(books, rest_only))
            books.give_up(alone, f"REST has not answered for {_REST_SILENT_S:.0f} s")

    def _ask_again(self, books: LiveBooks, market_ids: Iterable[MarketId]) -> None:
        books.resync_wanted.update(market_ids)
        asyncio.get_running_loop().call_later(_RETRY_S, self._wanted.set)

    async def _audit(self, all_connections: Sequence[LiveBooks]) -> list[tuple[LiveBooks, RestBook]]:
        """Compare every live book, replace what is wrong, and return the books of which REST has a newer state.

        Books that live on REST alone are not compared: they are what it said a moment ago.
        """
        connections = [books for books in all_connections if books.is_connected]
        ahead: list[tuple[LiveBooks, RestBook]] = []
        for books in connections:
            books.wants_audit = False
            asked_s = self._clock.monotonic_s()
            tokens = books.session.streamed_tokens()
            for rest in (await self._ask(tokens) or []) if tokens else []:
                self.audits += 1
                match books.session.audit_rest_book(rest):
                    case RestVerdict.AGREES:
                        books.verified_s = max(books.verified_s, asked_s)
                    case RestVerdict.DIFFERS:
                        self.disagreed += 1
                        books.take_rest_book(rest, self._clock.now_ns())
                    case RestVerdict.NEWER:
                        ahead.append((books, rest))
        return ahead

    async def _wait_for_the_stream(self, ahead: list[tuple[LiveBooks, RestBook]]) -> None:
        """Drop the connections that have not brought what REST has, and say nothing else; replace what they lack."""
        since_s = self._clock.monotonic_s()
        await asyncio.sleep(self._grace_s)
        behind = [(books, rest) for books, rest in ahead if _is_behind(books, rest)]
        self.disagreed += len(behind)
        for books in {id(books): books for books, _ in behind}.values():
            if books.is_connected and (books.data_s is None or books.data_s < since_s):
                self.frozen += 1
                books.reconnect("REST shows newer books and the connection says nothing")
        now_ns = self._clock.now_ns()
        for books, rest in behind:
            if not books.is_given_up:
                books.take_rest_book(rest, now_ns)

    async def _ask(self, tokens: Sequence[str]) -> list[RestBook] | None:
        """Return the books of these tokens, None when REST gave no usable answer."""
        found: list[RestBook] = []
        for start in range(0, len(tokens), BOOKS_PER_CALL):
            part = tokens[start : start + BOOKS_PER_CALL]
            self._asked_s = self._clock.monotonic_s()
            try:
                answer = await self._clob.post(BOOKS_PATH, books_request(part))
                if answer.status != 200:
                    raise RestRefused(f"POST /books: {answer.status} {answer.body[:200]!r}")
                books, unreadable = read_books(answer.body)
            except (HttpUnavailable, RestRefused) as error:
                log.warning("audit.unanswered", extra={"error": str(error)[:300], "tokens": len(part)})
                return None
            if unreadable:
                log.warning("audit.unreadable", extra={"books": unreadable})
            found += books
        self._answered_s = self._clock.monotonic_s()
        return found


def _markets_of(books: LiveBooks, tokens: Iterable[str]) -> set[MarketId]:
    return {asset.terms.market_id for token in tokens if (asset := books.session.asset_book(token))}


def _is_behind(books: LiveBooks, rest: RestBook) -> bool:
    asset = books.session.asset_book(rest.asset_id)
    return asset is not None and asset.phase is Phase.LIVE and asset.ts_ms < timestamp_ms(rest.timestamp)
