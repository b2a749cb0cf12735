"""An event loop whose time passes only while nobody has anything to do: hours of waiting in seconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

START_MS = 1_795_284_000_000


class _Selector(selectors.SelectSelector):
    """Lets time pass in place of waiting."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits for ever"
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop, and a ``Clock`` that agrees with it."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s

    def now_ns(self) -> int:
        return START_MS * 1_000_000 + int(self.time() * 1_000_000_000)

    def now_ms(self) -> int:
        return START_MS + int(self.time() * 1_000)

    def monotonic_s(self) -> float:
        return self.time()


def run_virtually(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)
