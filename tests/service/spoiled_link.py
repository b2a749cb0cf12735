"""A link to a real Redis on which single commands meet a server that is full, forgetful, or out of reach."""

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import cast

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.io.resp import Reply, RespLink, pack


class Fate(Enum):
    """What becomes of one command."""

    DONE = "done"
    REFUSED = "refused for want of memory, while those before and after it are not"
    UNLEASED = "sent while Redis knows no lease"
    FORGOTTEN = "sent when Redis has just forgotten what the outbox wrote"
    UNHEARD = "done, and the link is lost in place of its reply and of what would follow"
    UNSENT = "never sent, for the link is lost before it"


_FULL, _ROOMY = pack("CONFIG", "SET", "maxmemory", 1), pack("CONFIG", "SET", "maxmemory", 0)


class SpoiledLink(RespLink):
    """Gives each command sent the next of ``fates``, and all others ``DONE``.

    ``leases`` is the hash whose only field ``0`` holds ``holder``; ``number_key`` is what ``FORGOTTEN`` deletes.
    """

    def __init__(self, url: str, fates: Iterable[Fate], *, number_key: str, leases: str, holder: str) -> None:
        super().__init__(url, timeout_s=5)
        self._fates = iter(fates)
        self._around = {
            Fate.REFUSED: (_FULL, _ROOMY),
            Fate.UNLEASED: (pack("DEL", leases), pack("HSET", leases, "0", holder)),
            Fate.FORGOTTEN: (pack("DEL", number_key), pack("PING")),
        }

    def send(self, packed: bytes, commands: int = 1, *, at_once: bool = False) -> "asyncio.Future[list[Reply]]":
        """Send the commands that are not lost, each with what spoils it."""
        sent: list[bytes] = []
        wanted: list[int] = []
        is_cut = False
        for command in _split(packed, commands):
            fate = next(self._fates, Fate.DONE)
            is_cut = fate in (Fate.UNHEARD, Fate.UNSENT)
            if fate is Fate.UNSENT:
                break
            before, after = self._around.get(fate, (b"", b""))
            wanted.append(len(sent) + bool(before))
            sent += [one for one in (before, command, after) if one]
            if is_cut:
                break
        inner = super().send(b"".join(sent) or pack("PING"), len(sent) or 1, at_once=at_once)
        return self._spoiled(inner, wanted, is_cut=is_cut)

    def _spoiled(
        self, inner: "asyncio.Future[list[Reply]]", wanted: list[int], *, is_cut: bool
    ) -> "asyncio.Future[list[Reply]]":
        answered: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()

        def on_inner(found: "asyncio.Future[list[Reply]]") -> None:
            error = found.exception()
            if is_cut:
                self.close()
                error = RedisConnectionError("the link was cut")
            if answered.done():
                return
            if error is None:
                answered.set_result([found.result()[at] for at in wanted])
            else:
                answered.set_exception(error)

        inner.add_done_callback(on_inner)
        return answered


def _split(packed: bytes, commands: int) -> list[bytes]:
    reader = hiredis.Reader()
    reader.feed(packed)
    return [pack(*cast("list[bytes]", reader.gets())) for _ in range(commands)]
