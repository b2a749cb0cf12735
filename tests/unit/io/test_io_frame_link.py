"""Messages come out whole and in order, however the network cuts the bytes and whatever the frames look like."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from shared.io.frame_link import FrameLink
from shared.io.websocket import MAX_FRAME_BYTES, dial

TEXT, BINARY, CONTINUED, PING, CLOSE = 0x1, 0x2, 0x0, 0x9, 0x8


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a server sends it."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65_536:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


class Wire(asyncio.Transport):
    """The socket's side: what the link writes is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.has_written = asyncio.Event()
        self.is_read = True
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        self.has_written.set()

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def write_eof(self) -> None:
        return

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return


async def fed(wire: Wire, after_head: bytes, cuts: list[int], *, max_size: int = 1_000_000) -> FrameLink:
    """Return a link that got the answer to its handshake and ``after_head``, cut at these places."""
    protocol = ClientProtocol(parse_uri("ws://venue/ws"), max_size=max_size)
    link = FrameLink(protocol, close_timeout=0.1)
    link.connection_made(wire)
    asking = asyncio.create_task(link.handshake())
    await wire.has_written.wait()
    server = ServerProtocol()
    server.receive_data(wire.written)
    [request] = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    told = b"".join(server.data_to_send()) + after_head
    places = sorted({0, len(told), *(cut % len(told) for cut in cuts)})
    for start, stop in pairwise(places):
        link.data_received(told[start:stop])
    await asking
    return link


messages = st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([b"x" * 125, b"y" * 126, b"z" * 70_000])))
places = st.lists(st.integers(0, 1_000_000), max_size=12)


@given(messages, places, st.randoms(use_true_random=False))
async def test_messages_are_whole_and_in_order_wherever_the_bytes_were_cut(
    sent: list[bytes], cuts: list[int], random: Random
) -> None:
    stream = b""
    for message in sent:
        kind = random.choice(["whole", "whole", "parts", "binary", "pinged"])
        if kind == "whole":
            stream += frame(TEXT, message)
        elif kind == "binary":
            stream += frame(BINARY, message)
        elif kind == "pinged":
            stream += frame(PING, b"?") + frame(TEXT, message)
        else:
            half = len(message) // 2
            parts = [frame(TEXT, message[:half], fin=False), frame(PING, b"!"), frame(CONTINUED, message[half:])]
            stream += b"".join(parts)
    link = await fed(Wire(), stream, cuts)
    if sent:
        assert await link.receive() == sent
    link.connection_lost(None)
    with pytest.raises(ConnectionClosed):
        await link.receive()


async def test_a_long_message_in_a_thousand_reads_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    link = await fed(Wire(), b"", [])
    looks = 0
    cut = link._cut

    def counted(data: bytes) -> None:
        nonlocal looks
        looks += 1
        cut(data)

    monkeypatch.setattr(link, "_cut", counted)
    told = frame(TEXT, b"x" * 900_000) + frame(TEXT, b"next")
    for start in range(0, len(told), 900):
        link.data_received(told[start : start + 900])
    assert await link.receive() == [b"x" * 900_000, b"next"]
    assert looks == 2


async def test_a_ping_between_messages_is_answered() -> None:
    wire = Wire()
    await fed(wire, frame(TEXT, b"a") + frame(PING, b"12"), [])
    assert wire.written[-8:-6] == bytes([0x8A, 0x82]), "a masked pong of two bytes"


async def test_what_was_said_before_the_end_is_still_received() -> None:
    link = await fed(Wire(), frame(TEXT, b"last words") + frame(CLOSE, struct.pack("!H", 1_001)), [])
    link.connection_lost(None)
    assert await link.receive() == [b"last words"]
    with pytest.raises(ConnectionClosed, match="1001"):
        await link.receive()


async def test_nothing_is_taken_after_a_close() -> None:
    link = await fed(Wire(), frame(CLOSE, struct.pack("!H", 1_000)) + frame(TEXT, b"late"), [])
    link.connection_lost(None)
    with pytest.raises(ConnectionClosed):
        await link.receive()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(b"\x81\x83abcdxyz", id="masked"),
        pytest.param(frame(TEXT, b"x" * 1_001), id="too long"),
        pytest.param(frame(0x3, b"x"), id="unknown opcode"),
        pytest.param(b"\xc1\x01x", id="reserved bit"),
        pytest.param(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), id="text inside a message"),
    ],
)
async def test_what_no_server_may_send_ends_the_connection(wrong: bytes) -> None:
    wire = Wire()
    link = await fed(wire, frame(TEXT, b"good") + wrong + frame(TEXT, b"late"), [], max_size=1_000)
    assert link.protocol.state is not State.OPEN
    link.connection_lost(None)
    assert await link.receive() == [b"good"]
    with pytest.raises(ConnectionClosed):
        await link.receive()


async def test_the_socket_is_not_read_while_thousands_of_messages_wait() -> None:
    wire = Wire()
    link = await fed(wire, frame(TEXT, b"x") * 5_000, [])
    assert not wire.is_read
    assert len(await link.receive()) == 5_000
    assert wire.is_read


@asynccontextmanager
async def venue(*messages: bytes) -> AsyncIterator[str]:
    async def talk(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message, text=True)

    async with serve(talk, "127.0.0.1", 0, compression=None, max_size=None) as server:
        host, port = next(iter(server.sockets)).getsockname()
        yield f"ws://{host}:{port}/ws"


async def test_a_dialled_link_receives_until_the_venue_closes() -> None:
    async with venue(b"a", b"b" * 100_000, b"c") as url:
        link = await dial(url)
        received: list[bytes] = []
        while len(received) < 3:
            received += await link.receive()
        assert received == [b"a", b"b" * 100_000, b"c"]
        with pytest.raises(ConnectionClosed):
            await link.receive()


async def test_a_message_beyond_the_limit_ends_a_dialled_link() -> None:
    async with venue(b"a", b"b" * (MAX_FRAME_BYTES + 1)) as url:
        link = await dial(url)
        assert await link.receive() == [b"a"]
        with pytest.raises(ConnectionClosed, match="1009"):
            await link.receive()
