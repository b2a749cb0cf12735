"""How the simulated Polymarket misbehaves beyond its plain switches: on the market channel, in listings and on REST.

Everything here is asked at the moment it matters and changes nothing while no fault is armed.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.venue_sim.faults import FaultKind, Faults

Json = dict[str, Any]

NO_PONG = FaultKind("no_pong", "while_on", "PING is not answered; books go on")
DROP_DEEP_CHANGE = FaultKind("drop_deep_change", "times", "leave out one price_change that does not move the top")
SWAPPED_FRAMES = FaultKind("swapped_frames", "while_on", "the market channel names each token by its sibling's id")
SWAPPED_LISTING = FaultKind("swapped_listing", "while_on", "listings name a market's tokens in the reverse order")
OLD_BOOK = FaultKind("old_book", "times", "repeat a book as it was before the change that was just sent")
ODD_FRAMES = FaultKind(
    "odd_frames", "while_on", "an empty frame, a PONG, [] and a new kind of event before each change, which is an array"
)
CUT_CONNECTION = FaultKind("cut_connection", "times", "cut the oldest connection without a close frame")
BOOKS_429 = FaultKind("books_429", "while_on", "POST /books is answered with 429 and Retry-After")
BOOKS_HTML = FaultKind("books_html", "while_on", "POST /books is answered with 200 and a page of HTML")
BOOKS_SLOW = FaultKind("books_slow", "while_on", "POST /books is not answered")

_KINDS = (
    NO_PONG,
    DROP_DEEP_CHANGE,
    SWAPPED_FRAMES,
    SWAPPED_LISTING,
    OLD_BOOK,
    ODD_FRAMES,
    CUT_CONNECTION,
    BOOKS_429,
    BOOKS_HTML,
    BOOKS_SLOW,
)
_ODD = (b"", b"PONG", b"[]", b'{"event_type":"not_invented_yet","asset_id":"1"}')
_HTML = "<!DOCTYPE html><html><body>Just a moment...</body></html>"
_STANDSTILL_S = 3_600.0


class Mischief:
    """What the armed faults do to frames and listings."""

    def __init__(self, faults: Faults) -> None:
        faults.declare(*_KINDS)
        self._faults = faults

    @property
    def is_mute(self) -> bool:
        """Whether PING goes unanswered."""
        return self._faults.active(NO_PONG.name)

    @property
    def is_listing_swapped(self) -> bool:
        """Whether listings name tokens in the reverse order."""
        return self._faults.active(SWAPPED_LISTING.name)

    @property
    def repeats_old_book(self) -> bool:
        """Whether the book before the next operation is wanted; uses up one strike."""
        return self._faults.take(OLD_BOOK.name)

    @property
    def cuts_connection(self) -> bool:
        """Whether a connection is to be cut now; uses up one strike."""
        return self._faults.take(CUT_CONNECTION.name)

    def changes(self, frames: Iterable[bytes], *, top_moved: bool) -> list[bytes]:
        """Return what is sent in place of one operation's ``price_change`` messages."""
        sent: list[bytes] = []
        for frame in frames:
            if not top_moved and self._faults.take(DROP_DEEP_CHANGE.name):
                continue
            sent += [*_ODD, b"[" + frame + b"]"] if self._faults.active(ODD_FRAMES.name) else [frame]
        return sent

    def named(self, frame: bytes, token_ids: Sequence[str]) -> bytes:
        """Return the frame under the token ids that the venue gives it now."""
        if not self._faults.active(SWAPPED_FRAMES.name):
            return frame
        yes, no = (f'"asset_id":"{token_id}"'.encode() for token_id in token_ids)
        return frame.replace(yes, b"\0").replace(no, yes).replace(b"\0", no)

    def listed(self, market: Json) -> Json:
        """Return a Gamma market as it is listed now."""
        if not self.is_listing_swapped or "clobTokenIds" not in market:
            return market
        yes, no = market["clobTokenIds"].strip('[]"').split('", "')
        return {**market, "clobTokenIds": f'["{no}", "{yes}"]'}


def rest_faults(faults: Faults) -> Middleware:
    """Return a middleware that answers ``POST /books`` as the armed faults want."""

    @web.middleware
    async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/books":
            return await handler(request)
        if faults.active(BOOKS_SLOW.name):
            await asyncio.sleep(_STANDSTILL_S)
        if faults.active(BOOKS_429.name):
            return web.json_response({"error": "too many requests"}, status=429, headers={"Retry-After": "1"})
        if faults.active(BOOKS_HTML.name):
            return web.Response(text=_HTML, content_type="text/html")
        return await handler(request)

    return misbehave


def spoil_hashes(frame: bytes) -> bytes:
    """Return the frame with the last digit of every hash changed: a book that cannot be verified."""
    parts = frame.split(b'"hash":"')
    spoilt = [part[:39] + (b"1" if part[39:40] == b"0" else b"0") + part[40:] for part in parts[1:]]
    return b'"hash":"'.join([parts[0], *spoilt])
