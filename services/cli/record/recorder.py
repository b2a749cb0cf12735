"""Keeps one socket of a venue open and writes down everything that passes, one file per connection.

The venue's own session decides what to say, so that a gap is repaired as the feed repairs it, and the recording holds
the repair. Headers are never written: they carry the signature.
"""

import asyncio
import random
from typing import Protocol

from websockets.exceptions import WebSocketException

from services.cli.record.raw_file import FORMAT, Folder, RawFile, Recorded
from shared.io.frame_link import FrameLink
from shared.io.http import Answer, HttpUnavailable
from shared.io.websocket import Unauthorised, keep_connected
from shared.runtime.clock import Clock
from shared.runtime.errors import StartRefused

_LOOK_S = 0.1
_LOST = (OSError, WebSocketException)
_SHOWN = 300


class Conversation(Protocol):
    """What is said on a venue's socket."""

    venue: str
    url: str
    markets: tuple[str, ...]

    async def dial(self) -> FrameLink:
        """Open a link, signed afresh where the venue wants it."""
        ...

    def connected(self, now_s: float) -> None:
        """Begin anew on a fresh link; ``now_s`` is monotonic."""
        ...

    def receive(self, frame: bytes, received_ts_ns: int) -> str:
        """Take a frame; return why the link is of no use any more, or nothing."""
        ...

    def tick(self, now_s: float) -> str:
        """Let time pass; return why the link is of no use any more, or nothing."""
        ...

    def data_to_send(self) -> list[str]:
        """Return what is to be sent now."""
        ...

    async def page(self) -> tuple[str, Answer]:
        """Return the path and the answer of one REST page about the markets. Raises HttpUnavailable."""
        ...

    def refusal(self, refused: Unauthorised) -> StartRefused:
        """Return what to tell the operator when the venue lets nobody in."""
        ...


class Recorder:
    """Records until it is cancelled; a file is closed when its connection is lost, or when it is full or old."""

    def __init__(
        self,
        conversation: Conversation,
        folder: Folder,
        clock: Clock,
        *,
        rotate_bytes: int,
        rotate_s: float,
        compress: bool,
        jitter: random.Random,
    ) -> None:
        self._conversation = conversation
        self._folder = folder
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._rotate_s = rotate_s
        self._compress = compress
        self._jitter = jitter
        self._given_up = ""
        self._unauthorised = 0
        self.lost: list[str] = []
        """Why each connection ended that nobody ended."""

    @property
    def recorded(self) -> list[Recorded]:
        """The finished files."""
        return self._folder.recorded

    async def run(self) -> None:
        """Record for ever. Raises StartRefused when nothing can be written or the key is refused twice."""
        await keep_connected(
            self._conversation.dial,
            self._talk,
            name=f"record {self._conversation.venue}",
            on_lost=self.lost.append,
            on_unauthorised=self._refused,
            jitter=self._jitter,
        )

    def _refused(self, refused: Unauthorised) -> None:
        self._unauthorised += 1
        if self._unauthorised > 1:
            raise self._conversation.refusal(refused)

    async def _talk(self, link: FrameLink) -> None:
        self._unauthorised = 0
        self._given_up = ""
        said = self._conversation
        file = self._folder.open(said.venue, self._clock.now_ns())
        about = {"format": FORMAT, "venue": said.venue, "url": said.url, "markets": said.markets}
        file.noted("open", self._clock.now_ns(), about)
        said.connected(self._clock.monotonic_s())
        reason = "stopped"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(link, file))
                tasks.create_task(self._attend(link, file))
                tasks.create_task(self._page(file))
        except* _LOST as lost:
            reason = self._given_up or repr(lost.exceptions[0])[:_SHOWN]
        finally:
            file.noted("close", self._clock.now_ns(), {"reason": reason})
            self._folder.finish(file, compress=self._compress)
        raise ConnectionError(reason)

    async def _read(self, link: FrameLink, file: RawFile) -> None:
        receive, now_ns = self._conversation.receive, self._clock.now_ns
        while True:
            frames = await link.receive()
            received_ts_ns = now_ns()
            for frame in frames:
                file.received(received_ts_ns, frame)
                unusable = receive(frame, received_ts_ns)
                if unusable:
                    raise ConnectionError(unusable)

    async def _attend(self, link: FrameLink, file: RawFile) -> None:
        """Send what the session wants to say, let its time pass, and see when the file is done."""
        opened_s = self._clock.monotonic_s()
        while True:
            now_s = self._clock.monotonic_s()
            self._given_up = self._conversation.tick(now_s)
            for text in self._conversation.data_to_send():
                file.sent(self._clock.now_ns(), text)
                await link.send(text)
            file.flush()
            if file.written_bytes >= self._rotate_bytes or now_s - opened_s >= self._rotate_s:
                self._given_up = "the file is full"
            if self._given_up:
                raise ConnectionError(self._given_up)
            await asyncio.sleep(_LOOK_S)

    async def _page(self, file: RawFile) -> None:
        """Note what the venue says about the markets; a page that does not come is noted as such."""
        try:
            path, answer = await self._conversation.page()
        except HttpUnavailable as error:
            file.noted("rest", self._clock.now_ns(), {"error": str(error)[:_SHOWN]})
            return
        body = answer.body.decode(errors="replace")
        file.noted("rest", self._clock.now_ns(), {"path": path, "status": answer.status, "body": body})
