"""What the detector does by the clock: it looks at what waits when that is due, at all in turn, and counts it all."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

from services.arb_detector.basket_desk import BasketDesk
from services.arb_detector.core import Detector
from services.arb_detector.publisher import Publisher
from shared.contracts.funnel import FunnelCounted
from shared.runtime.clock import Clock

_TICK_S = 0.25
"""How often pairs that wait or are open are looked at although nothing happened: a silent feed shows here."""
_SWEEP_S = 0.02
_SWEPT_AT_ONCE = 2
"""How often some pairs are looked at in turn: where they stand, and whether they have diverged. A hundred each second,
and as many whose reason has changed; all of a second's at once would hold up the quotes for ten milliseconds."""
_ROUND_S = 1.0
"""No pair's turn comes more often than this, however few there are; a second's baskets are looked at together."""
_FUNNEL_S = 10.0
_LATE_S = 0.02
"""A timer this late says that the process stood still: no edge has held before what was written meanwhile is read."""


class Rounds:
    """One timer for everything that no message brings about. ``counted`` returns the whole process' funnel."""

    def __init__(
        self,
        detector: Detector,
        baskets: BasketDesk,
        publisher: Publisher,
        clock: Clock,
        *,
        counted: Callable[[], FunnelCounted],
    ) -> None:
        self._detector = detector
        self._baskets = baskets
        self._publisher = publisher
        self._clock = clock
        self._counted = counted
        self._due_earlier = asyncio.Event()
        self._wakes_s = inf
        """When the timer is to wake next, on the monotonic clock."""

    async def run(self, stopping: asyncio.Event, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Tick when something that waits is due, and every quarter of a second in any case; sweep now and then.

        ``catch_up`` is awaited first whenever this process stood still.
        """
        tick_s = self._clock.monotonic_s()
        sweep_s, baskets_s, funnel_s = tick_s + _SWEEP_S, tick_s + _ROUND_S, tick_s + _FUNNEL_S
        while not stopping.is_set():
            now_s = self._clock.monotonic_s()
            due_s = self._due_s()
            self._wakes_s = min(tick_s, sweep_s, tick_s if due_s is None else due_s)
            if now_s < self._wakes_s:
                await self._sleep(self._wakes_s - now_s)
                continue
            if self.stood_still():
                await catch_up()
            if now_s >= tick_s or (due_s is not None and now_s >= due_s):
                tick_s = now_s + _TICK_S
                self._publisher.publish(self._detector.tick())
                self._baskets.tick()
            if now_s >= sweep_s:
                pairs = max(len(self._detector.pairs), _SWEPT_AT_ONCE)
                sweep_s = now_s + max(_SWEEP_S, _ROUND_S * _SWEPT_AT_ONCE / pairs)
                self._publisher.publish(self._detector.sweep(_SWEPT_AT_ONCE))
            if now_s >= baskets_s:
                baskets_s = now_s + _ROUND_S
                self._baskets.sweep()
            if now_s >= funnel_s:
                funnel_s = now_s + _FUNNEL_S
                self._publisher.count(self._counted())

    def stood_still(self) -> bool:
        """Return whether the timer should have woken a while ago: whatever was to be read meanwhile comes late, too."""
        return self._clock.monotonic_s() - self._wakes_s > _LATE_S

    def wake_if_due_earlier(self) -> None:
        """Say that something may have become due before the timer wakes."""
        due_s = self._due_s()
        if due_s is not None and due_s < self._wakes_s:
            self._due_earlier.set()

    async def _sleep(self, wait_s: float) -> None:
        """Sleep, unless something becomes due earlier than the sleeper knew."""
        self._due_earlier.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._due_earlier.wait()

    def _due_s(self) -> float | None:
        times_s = (source.due_s() for source in (self._detector, self._baskets.source))
        return min((due_s for due_s in times_s if due_s is not None), default=None)
