"""Delivers each message once: after the sink took it that is remembered, then the bus is told.

A crash between the sink's answer and the note of it repeats that one message; nothing else repeats, and nothing is
lost while the sink or Redis is away, because the bus keeps what was not acknowledged.
"""

import asyncio
import logging
import random

from redis.exceptions import RedisError

from services.alerts.sink import Sink
from shared.io.bus import TRANSIENT, Client, waits_s
from shared.io.webhook import WebhookBusy, WebhookUnavailable
from shared.runtime.crash import Crashes

POSTED = "alerts.posted"
"""The crash point between the sink's answer and the note of it."""

_REMEMBERED_S = 86_400
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0

log = logging.getLogger(__name__)


class Notifier:
    """Sends messages one after the other, in the order in which they are given."""

    def __init__(
        self, redis: Client, sink: Sink, *, stopping: asyncio.Event, jitter: random.Random, crashes: Crashes
    ) -> None:
        self._redis = redis
        self._sink = sink
        self._stopping = stopping
        self._jitter = jitter
        self._crashes = crashes
        self._turn = asyncio.Lock()
        self.sent = 0
        self.repeats = 0
        """Messages that were not sent because they had been before."""

    async def deliver(self, message_id: str, text: str) -> bool:
        """Send ``text`` unless ``message_id`` was sent in the last day; return False when told to stop before.

        Raises WebhookRefused.
        """
        key = f"arb:v1:alerted:{message_id}"
        async with self._turn:
            was_sent = await self._asked(key)
            if was_sent is None:
                return False
            if was_sent:
                self.repeats += 1
                return True
            if not await self._posted(text):
                return False
            self.sent += 1
            self._crashes.reach(POSTED)
            log.info("alert.sent", extra={"id": message_id, "sent": self.sent})
            await self._noted(key)
            return True

    async def _asked(self, key: str) -> bool | None:
        async for _ in waits_s():
            if self._stopping.is_set():
                return None
            try:
                return bool(await self._redis.exists(key))
            except TRANSIENT as error:
                log.warning("alerts.waiting", extra={"error": str(error)})
        raise AssertionError("waits_s never ends")

    async def _noted(self, key: str) -> None:
        async for _ in waits_s():
            try:
                await self._redis.set(key, b"1", nx=True, ex=_REMEMBERED_S)
            except RedisError as error:  # any: ending here over a full Redis would post again after each restart
                log.warning("alerts.waiting", extra={"error": str(error)})
                if not self._stopping.is_set():
                    continue
            return

    async def _posted(self, text: str) -> bool:
        longest_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            try:
                await self._sink.post(text)
            except WebhookBusy as busy:
                log.warning("sink.busy", extra={"wait_s": busy.wait_s})
                await self._pause(busy.wait_s + self._jitter.uniform(0, 1))
            except WebhookUnavailable as error:
                log.warning("sink.unavailable", extra={"error": str(error), "possible_repeat": True})
                await self._pause(self._jitter.uniform(0, longest_s))
                longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
            else:
                return True
        return False

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return
