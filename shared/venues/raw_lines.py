"""One line of a recording of a venue's socket: written as received, read back to the byte.

A line is a JSON object with ``dir``, ``t`` (our clock, Unix seconds with nine decimals) and ``msg``. ``dir`` is ``in``
for a received frame, ``out`` for one that was sent, ``open`` and ``close`` for the connection, and ``rest`` for a page
that was read by REST. A frame that is a JSON object or array stands in ``msg`` as it came, byte for byte; any other
text is a JSON string there; what is no text at all is in ``base64`` instead of ``msg``. A line without ``dir`` is a
received frame and nothing around it, which is how other people's recordings look.
"""

from base64 import b64decode, b64encode
from typing import NamedTuple

import msgspec

RECEIVED = "in"
SENT = "out"

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class RawLine(NamedTuple):
    """What a line of a recording holds."""

    direction: str
    frame: bytes


def line_of(direction: str, at_ns: int, frame: bytes) -> bytes:
    """Return the line, with its end, that holds ``frame`` at ``at_ns`` Unix nanoseconds."""
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    head = b'{"dir":"%b","t":%d.%09d,' % (direction.encode(), seconds, nanoseconds)
    if _stands_by_itself(frame):
        return b'%b"msg":%b}\n' % (head, frame)
    try:
        return b'%b"msg":%b}\n' % (head, msgspec.json.encode(frame.decode()))
    except UnicodeDecodeError:
        return b'%b"base64":"%b"}\n' % (head, b64encode(frame))


def read_line(line: bytes) -> RawLine:
    """Return what a line holds, white space around it taken off; never raises."""
    stripped = line.strip()
    if b'"dir"' not in stripped:
        return RawLine(RECEIVED, stripped)
    try:
        found = _LINE.decode(stripped)
        if found.base64 is not None:
            return RawLine(found.dir, b64decode(found.base64, validate=True))
        content = bytes(found.msg)
        if not content:
            return RawLine(RECEIVED, stripped)
        return RawLine(found.dir, _STRING.decode(content).encode() if content.startswith(b'"') else content)
    except _UNREADABLE:
        return RawLine(RECEIVED, stripped)


class _Line(msgspec.Struct):
    dir: str
    msg: msgspec.Raw = msgspec.Raw(b"")
    base64: str | None = None


_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)
_STRING: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)


def _stands_by_itself(frame: bytes) -> bool:
    """Whether a frame can stand in a line and be found again: one JSON object or array without a line's end."""
    if frame[:1] not in (b"{", b"[") or frame[-1:] not in (b"}", b"]") or b"\n" in frame:
        return False
    try:
        return bytes(_LINE.decode(b'{"dir":"","msg":%b}' % frame).msg) == frame
    except _UNREADABLE:
        return False
