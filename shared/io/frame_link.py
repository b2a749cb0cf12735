"""A WebSocket client connection that hands over everything that has arrived in one list.

The ``websockets`` library does the handshake, the control frames and the end of the connection. Nearly every frame of
the venues is a whole unmasked text frame, though, and for these its parser and its queue cost several times what the
message itself does. So whole text frames are cut out of the bytes here, and all other bytes go to the library, frame by
frame and in order, whose messages come out of the same list.

Frames as in RFC 6455, section 5.2.
"""

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

_HEAD_END = b"\r\n\r\n"
_WHOLE_TEXT = 0x81
_LENGTH_16, _LENGTH_64 = 126, 127
_MASKED = 0x80
_SHORT_HEAD, _MEDIUM_HEAD, _LONG_HEAD = 2, 4, 10
_MANY = 4_096
"""More messages than this that nobody has taken: the socket is not read until somebody does."""


class FrameLink(ClientConnection):
    """Use ``receive`` in place of ``recv``; everything else is the library's connection."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        longest = self.protocol.max_message_size
        assert longest is not None
        self._longest = longest
        self._arrived: list[bytes] = []
        self._rest = bytearray()
        """Bytes behind the last whole frame; during the handshake those that may begin the end of its head."""
        self._missing = 0
        """How many bytes must still come before the frame that begins in ``_rest`` can be whole."""
        self._fragments: bytearray | None = None
        self._taker: asyncio.Future[None] | None = None
        self._is_held = False
        self._is_over = False

    async def receive(self) -> list[bytes]:
        """Return the messages that have arrived since the last call, at least one. Raises ConnectionClosed.

        One task at a time may wait here. When it returns at once, no other task has run.
        """
        while not self._arrived:
            if self._is_over:
                raise self.close_exc
            self._taker = self.loop.create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        arrived, self._arrived = self._arrived, []
        if self._is_held:
            self._is_held = False
            self.transport.resume_reading()
        return arrived

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self.protocol.state is State.CONNECTING:
            data = self._after_handshake(data)
        if not data:
            return
        if self.protocol.state is not State.OPEN:
            super().data_received(self._with_rest(data))
        elif self._missing > len(data):  # looking again at every read would copy a long frame over and over
            self._rest += data
            self._missing -= len(data)
        else:
            self._cut(self._with_rest(data) if self._rest else data)
        self._tell()

    def process_event(self, event: Event) -> None:
        """Take what the library has parsed; messages go to the list that has the others."""
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            super().process_event(event)
            return
        message = self._fragments if self._fragments is not None else bytearray()
        message += event.data
        self._fragments = None if event.fin else message
        if event.fin:
            self._arrived.append(bytes(message))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        super().connection_lost(exc)
        self._is_over = True
        self._wake()

    def _with_rest(self, data: bytes) -> bytes:
        """Return what was kept and ``data`` behind it; nothing is kept then."""
        whole = bytes(self._rest) + data
        self._rest.clear()
        self._missing = 0
        return whole

    def _after_handshake(self, data: bytes) -> bytes:
        """Give the library the head of the answer and return what comes after it."""
        kept = len(self._rest)
        joined = self._with_rest(data)
        end = joined.find(_HEAD_END)
        if end < 0:
            self._rest += joined[-len(_HEAD_END) + 1 :]
            super().data_received(data)
            return b""
        head = end + len(_HEAD_END) - kept
        super().data_received(data[:head])
        return data[head:]

    def _cut(self, data: bytes) -> None:
        at, end, stop = 0, len(data), _SHORT_HEAD
        arrived = self._arrived
        while end - at >= _SHORT_HEAD:
            size = data[at + 1]
            start = at + _SHORT_HEAD
            if size == _LENGTH_16:
                start = at + _MEDIUM_HEAD
                size = int.from_bytes(data[at + _SHORT_HEAD : start], "big")
            elif size == _LENGTH_64:
                start = at + _LONG_HEAD
                size = int.from_bytes(data[at + _SHORT_HEAD : start], "big")
            elif size >= _MASKED:
                return self._give_up_on(data[at:])
            if start > end:
                stop = start
                break
            if size > self._longest:
                return self._give_up_on(data[at:])
            stop = start + size
            if stop > end:
                break
            if data[at] == _WHOLE_TEXT and self._fragments is None:
                arrived.append(data[start:stop])
            else:
                super().data_received(data[at:stop])
                if self.protocol.state is not State.OPEN:
                    return self._give_up_on(data[stop:])
            at = stop
            stop = at + _SHORT_HEAD
        self._rest += data[at:]
        self._missing = max(0, stop - end)
        return None

    def _give_up_on(self, data: bytes) -> None:
        """Let the library end the connection over what it must not contain, or is not to be read any more."""
        super().data_received(data)

    def _tell(self) -> None:
        if self._arrived:
            self._wake()
            if len(self._arrived) > _MANY and not self._is_held:
                self._is_held = True
                self.transport.pause_reading()

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
