"""When an outbox goes on without a message that Redis refuses, and what became of those it went on without."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from shared.io.appends import Append, streams_of

_TRIES = 8
_SPOILED_S = 60.0
_MOST_KEPT = 1_000
_ABOUT_THE_SERVER = frozenset(("NOAUTH", "WRONGPASS", "NOSCRIPT"))
"""Refusals that say nothing against the message, or not what: it is tried for as long as it takes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SetAside:
    """Messages that Redis refused again and again for a reason of their own; meant to be written together."""

    streams: tuple[str, ...]
    payloads: tuple[bytes, ...]
    reason: str
    is_news: bool = True
    """Whether nothing of its streams was set aside in the last minute."""


class Refusals:
    """Counts how often the message that is first in line was refused, and keeps what was set aside."""

    def __init__(self) -> None:
        self.of_first = 0
        """How often the first that waits was refused; while it is, it is sent alone."""
        self._spoiled_s: dict[str, float] = {}
        """When a stream's message was last set aside: the next one is not tried as often."""
        self._kept: deque[SetAside] = deque(maxlen=_MOST_KEPT)
        self.messages = 0
        """That were set aside since the start."""

    def given_up(self, appends: tuple[Append, ...], reason: str) -> SetAside | None:
        """Count one refusal of what is first; return it when Redis will never take it."""
        self.of_first += 1
        if reason.partition(" ")[0] in _ABOUT_THE_SERVER:
            return None
        streams, now_s = streams_of(appends), asyncio.get_running_loop().time()
        is_news = all(now_s - self._spoiled_s.get(name, -_SPOILED_S) >= _SPOILED_S for name in streams)
        if is_news and self.of_first < _TRIES:
            return None
        self.of_first = 0
        self._spoiled_s |= dict.fromkeys(streams, now_s)
        aside = SetAside(streams, tuple(append.payload for append in appends), reason, is_news)
        self._kept.append(aside)
        self.messages += len(aside.payloads)
        log.error("outbox.set_aside", extra={"streams": streams, "reason": reason})
        return aside

    def taken(self, stream_name: str) -> list[SetAside]:
        """Return, once, what was set aside of a stream's messages; of all streams the last thousand are kept."""
        found = [aside for aside in self._kept if stream_name in aside.streams]
        self._kept = deque((aside for aside in self._kept if aside not in found), maxlen=_MOST_KEPT)
        return found
