"""The one thread that touches the ledger, so that a slow disk never stops the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from services.kalshi_executor.ledger import Ledger

P = ParamSpec("P")
R = TypeVar("R")


class LedgerThread:
    """Runs the ledger's methods one after the other, each to its end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    @property
    def uuid(self) -> str:
        """The ledger's own id."""
        return self._ledger.uuid

    async def do(self, method: Callable[Concatenate[Ledger, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``method`` of the ledger returns; it is committed by then."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(method, self._ledger, *args, **kwargs))

    def close(self) -> None:
        """Wait for the last method and end the thread; the ledger stays open."""
        self._thread.shutdown()
