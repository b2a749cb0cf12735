"""The matcher's shell: follows both catalogs and the mapping files, and publishes what the core decides."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from services.matcher.atomic_files import write_atomically
from services.matcher.baskets import BasketChange, BasketMatcher
from services.matcher.core import Matcher
from services.matcher.disagreements import disagreement_yaml, path_of
from services.matcher.mapping_files import Fingerprint, Mappings, MappingsRefused, fingerprint
from services.matcher.price_reader import PriceReader
from services.matcher.price_sanity import PriceWatch, speaks_against
from services.matcher.published import Change
from services.matcher.settings import Settings
from shared.contracts.baskets import BasketMessage, BasketRetired, BasketSuspended
from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.envelope import Message
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import BASKETS, CATALOG, PAIRS
from shared.domain.market import Venue
from shared.io.bus import TRANSIENT, Outbox, Profile, connect
from shared.runtime.alarm import Alarm
from shared.runtime.clock import Clock
from shared.runtime.errors import SettingsRefused
from shared.runtime.kept_state import KeptState, say_again_if_lost
from shared.runtime.latest import follow_changes, load_patiently

_PROPOSALS_AT_ONCE = 5
_PROPOSING_S = 0.05
_IDLE_S = 1.0
_FLUSH_S = 2.0
_REPAIR_EVERY_S = 2.0
_WRITE_AGAIN_S = 30.0
_FORGOTTEN = "it was over, and Redis had forgotten that"

log = logging.getLogger(__name__)


async def _within(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait that long, or until ``stopping`` is set; return whether it is."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
    return stopping.is_set()


class MatcherService:
    """Owns the tasks; every decision is the core's.

    ``read_mappings`` reads the folder, given what is in force; ``seen`` is the folder's fingerprint from before the
    mappings in force were read, so that no edit falls between the two.
    """

    def __init__(
        self,
        settings: Settings,
        matcher: Matcher,
        outbox: Outbox,
        clock: Clock,
        read_mappings: Callable[[Mappings | None], Mappings],
        *,
        seen: Fingerprint,
        baskets: BasketMatcher,
    ) -> None:
        self._settings = settings
        self._matcher = matcher
        self._baskets = baskets
        self._outbox = outbox
        self._alarm = Alarm(outbox, clock)
        self._clock = clock
        self._read_mappings = read_mappings
        self._work = asyncio.Event()
        self._seen = seen
        self._problems: list[str] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Load both catalogs, judge everything, then follow every change until ``stopping`` is set."""
        cursors = {venue: await self._load(venue) for venue in Venue}
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._outbox.run())
            followers = [tasks.create_task(self._follow(venue, cursors[venue], stopping)) for venue in Venue]
            followers.append(tasks.create_task(self._watch_mappings(stopping)))
            followers.append(tasks.create_task(self._watch_prices(stopping)))
            followers.append(tasks.create_task(self._keep_disagreements(stopping)))
            followers.append(tasks.create_task(self._repair(stopping)))
            await self._decide_until(stopping)
            await asyncio.gather(*followers)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outbox.flushed(), _FLUSH_S)
            writer.cancel()

    async def _load(self, venue: Venue) -> str:
        latest, cursor = await load_patiently(self._settings.redis_url, CATALOG[venue])
        self._take(latest.values())
        log.info("catalog.loaded", extra={"venue": venue.value, "markets": len(self._matcher.markets[venue])})
        return cursor

    async def _follow(self, venue: Venue, cursor: str, stopping: asyncio.Event) -> None:
        async for told in follow_changes(self._settings.redis_url, CATALOG[venue], cursor, stopping):
            if isinstance(told, dict):
                self._drop_missing(venue, told)
            self._take(told.values() if isinstance(told, dict) else told)

    def _drop_missing(self, venue: Venue, listed: Mapping[str, CatalogMessage]) -> None:
        """Remove what the whole catalog does not hold any more; an empty one is about to be told again."""
        for market_id in tuple(self._matcher.markets[venue]) if listed else ():
            if market_id not in listed:
                self._matcher.remove(venue, market_id)
                self._baskets.remove(venue, market_id)

    def _take(self, messages: Iterable[CatalogMessage]) -> None:
        for message in messages:
            if isinstance(message, MarketClosed):
                self._matcher.remove(message.venue, message.market_id)
                self._baskets.remove(message.venue, message.market_id)
                if message.yes_paid_dollars is not None:
                    self._matcher.settled(message.venue, message.market_id, message.yes_paid_dollars)
            else:
                self._matcher.put(message.market)
                self._baskets.put(message.market)
            self._work.set()

    async def _decide_until(self, stopping: asyncio.Event) -> None:
        """Judge after each change, gathered for a moment, and at least once a second, because pairs expire."""
        while not stopping.is_set():
            self._publish_baskets(self._baskets.decide(self._now()))
            self._publish(self._matcher.decide(self._now()))
            if self._matcher.proposals_waiting:
                self._propose_for_a_moment()
                await asyncio.sleep(0)
                continue
            self._report_problems()
            self._work.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), _IDLE_S)
                await asyncio.sleep(self._settings.debounce_ms / 1_000)

    def _propose_for_a_moment(self) -> None:
        """Look for candidates until the loop's other tasks should have their turn."""
        until_s = self._clock.monotonic_s() + _PROPOSING_S
        while self._matcher.proposals_waiting and self._clock.monotonic_s() < until_s:
            self._publish(self._matcher.propose(_PROPOSALS_AT_ONCE))

    async def _watch_mappings(self, stopping: asyncio.Event) -> None:
        """Read the folder again once a change of it has stayed the same for one look, so half a save is not read."""
        changed_to = self._seen
        while not stopping.is_set():
            await _within(stopping, self._settings.mappings_poll_ms / 1_000)
            now = await asyncio.to_thread(fingerprint, self._settings.mappings_dir)
            if now != self._seen and now == changed_to:
                self._seen = now
                await self._read_again()
            changed_to = now

    async def _read_again(self) -> None:
        try:
            mappings = await asyncio.to_thread(self._read_mappings, self._matcher.mappings)
        except SettingsRefused as refused:
            count = len(refused.problems) if isinstance(refused, MappingsRefused) else 1
            log.error("mappings.refused", extra={"error": str(refused), "problems": count})
            title = "Mapping files are refused; the last good ones stay"
            self._alarm.page("matcher.mappings_refused", title, str(refused))
            return
        self._matcher.use(mappings)
        self._baskets.use(mappings.baskets, self._matcher.markets)
        self._work.set()
        log.info("mappings.loaded", extra={"rows": len(mappings.rows), "templates": len(mappings.templates)})

    async def _watch_prices(self, stopping: asyncio.Event) -> None:
        """Suspend the pairs against which their own prices speak."""
        watch = PriceWatch(self._settings.price_limits)
        async with PriceReader(self._settings.redis_url) as reader:
            while not await _within(stopping, self._settings.prices_poll_ms / 1_000):
                pairs = self._matcher.live_pairs
                watch.keep_only(pair.pair_id for pair in pairs)
                try:
                    tops, diverged = await reader.tops(pairs), await reader.diverged()
                except TRANSIENT as error:
                    log.warning("prices.waiting", extra={"error": str(error)})
                    watch.keep_only(())
                    continue
                for pair, (kalshi, polymarket) in zip(pairs, tops, strict=True):
                    against = speaks_against(pair, diverged.get(pair.pair_id))
                    if reason := watch.look(pair, kalshi, polymarket, self._clock.monotonic_s()) or against:
                        self._matcher.suspect(pair.pair_id, reason)
                        self._work.set()

    async def _keep_disagreements(self, stopping: asyncio.Event) -> None:
        """Write what settled differently among the mappings; until that is done the matcher holds the series itself."""
        alerted: set[str] = set()
        while not await _within(stopping, _IDLE_S):
            for record in self._matcher.disagreements:
                path = path_of(self._settings.mappings_dir, record)
                if record.pair_id not in alerted:
                    alerted.add(record.pair_id)
                    log.error("pair.settled_differently", extra={"pair": record.pair_id, "file": str(path)})
                    title = f"Pair {record.pair_id} paid differently on the two venues"
                    self._alarm.page("matcher.settled_differently", title, record.reason)
                try:
                    await asyncio.to_thread(write_atomically, path, disagreement_yaml(record))
                except OSError as error:
                    log.error("disagreement.not_written", extra={"file": str(path), "error": str(error)})
                    await _within(stopping, _WRITE_AGAIN_S)
                    continue
                self._matcher.recorded(record)
                self._work.set()

    async def _repair(self, stopping: asyncio.Event) -> None:
        """Say the state again when Redis has lost some: a server that came back may know no pairs, or old ones."""
        redis = connect(self._settings.redis_url, Profile.WRITER)
        states = (
            KeptState(PAIRS, lambda: self._matcher.published, _as_said, _retired),
            KeptState(BASKETS, lambda: self._baskets.published, _as_said, _basket_retired),
        )
        try:
            while not await _within(stopping, _REPAIR_EVERY_S):
                try:
                    await say_again_if_lost(redis, self._outbox, states)
                except TRANSIENT as error:
                    log.warning("repair.waiting", extra={"error": str(error)})
        finally:
            await redis.aclose()

    def _publish(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._outbox.put(PAIRS, change.message, key=change.pair_id, drop_key=change.retires)
            reason = getattr(change.message, "reason", "")
            if not isinstance(change.message, CandidateFound):
                facts = {"pair": change.pair_id, "what": type(change.message).__name__, "reason": reason}
                log.info("pair.changed", extra=facts)
            if change.was_live and isinstance(change.message, PairSuspended) and change.message.awaits != "results":
                tell = self._alarm.page if change.message.awaits == "review" else self._alarm.warn
                tell("matcher.pair_suspended", f"Pair {change.pair_id} is suspended", reason)

    def _publish_baskets(self, changes: Iterable[BasketChange]) -> None:
        for change in changes:
            self._outbox.put(BASKETS, change.message, key=change.basket_id, drop_key=change.retires)
            reason = getattr(change.message, "reason", "")
            facts = {"basket": change.basket_id, "what": type(change.message).__name__, "reason": reason}
            log.info("basket.changed", extra=facts)
            if change.was_live and isinstance(change.message, BasketSuspended):
                self._alarm.warn("matcher.basket_suspended", f"Basket {change.basket_id} is suspended", reason)

    def _report_problems(self) -> None:
        problems = self._matcher.problems()
        for problem in sorted(set(problems) - set(self._problems)):
            log.warning("listing.not_paired", extra={"problem": problem})
        self._problems = problems

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1_000, UTC)


def _as_said(message: Message) -> Message:
    return message


def _retired(message: PairMessage) -> PairRetired | None:
    if not isinstance(message, PairActivated | PairSuspended | CandidateFound):
        return None
    pair_id = message.pair_id if isinstance(message, CandidateFound) else message.pair.pair_id
    return PairRetired(pair_id=pair_id, reason=_FORGOTTEN)


def _basket_retired(message: BasketMessage) -> BasketRetired | None:
    if isinstance(message, BasketRetired):
        return None
    return BasketRetired(basket_id=message.basket.basket_id, reason=_FORGOTTEN)
