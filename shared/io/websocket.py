"""A WebSocket link that stays up: each dial is made anew, pauses are jittered, and only lasting data resets them.

What is said on the link belongs to the caller's ``talk``. The library's own reconnecting iterator is not used: it sends
the same headers, and so the same stale signature, for ever, and it reconnects 700 times a second to a server that
accepts and closes.

Reading: ``await link.receive()`` returns everything that has arrived and gives way to other tasks only when that is
nothing, so a callback that was scheduled with ``call_soon`` runs when it is all read.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from shared.io.frame_link import FrameLink

MAX_FRAME_BYTES = 8 * 1024 * 1024
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_MOST_DOUBLINGS = 7
"""0.25 * 2**7 is beyond the longest pause; without an end the power would overflow after hours without a link."""
_PROVEN_AFTER_S = 10.0
_OPEN_TIMEOUT_S = 10.0
_UNAUTHORISED = 401

log = logging.getLogger(__name__)


class Unauthorised(Exception):
    """The venue refused the handshake's signature or key; ``body`` is what it said."""

    def __init__(self, body: str) -> None:
        super().__init__(f"the handshake was refused with 401: {body[:300]}")
        self.body = body


class _NoRedirects(connect):
    """Takes a redirect for the refusal it is: the library would send the venue's signed headers to the new host."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def dial(
    url: str, headers: Mapping[str, str] | None = None, *, ping_interval_s: float | None = 10.0
) -> FrameLink:
    """Open one connection without compression, proxies or redirects.

    Raises Unauthorised on 401, OSError, TimeoutError or WebSocketException otherwise.
    """
    try:
        link = await _NoRedirects(
            url,
            create_connection=FrameLink,
            additional_headers=dict(headers or {}),
            compression=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=_OPEN_TIMEOUT_S,
            ping_interval=ping_interval_s,
            ping_timeout=10.0,
            close_timeout=1.0,
            proxy=None,
        )
        assert isinstance(link, FrameLink)
        return link
    except InvalidStatus as error:
        if error.response.status_code == _UNAUTHORISED:
            raise Unauthorised((error.response.body or b"").decode(errors="replace")) from None
        raise


async def keep_connected(
    open_link: Callable[[], Awaitable[FrameLink]],
    talk: Callable[[FrameLink], Awaitable[None]],
    *,
    name: str,
    on_lost: Callable[[str], None],
    on_unauthorised: Callable[[Unauthorised], None],
    jitter: random.Random,
) -> None:
    """Dial, talk, and dial again when the link is lost, until cancelled.

    ``open_link`` signs anew each time. ``talk`` returns or raises when the link is done with. The pause before the
    n-th dial in a row is uniform between 0 and min(30, 0.25 * 2**n) seconds; n starts over only after ten seconds of
    talk. A second 401 in a row waits the longest pause.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    unauthorised = 0
    while True:
        talking_since_s = None
        try:
            link = await open_link()
            talking_since_s = loop.time()
            try:
                unauthorised = 0
                await talk(link)
                reason = "the conversation ended"
            finally:
                await link.close()
        except Unauthorised as refusal:
            unauthorised += 1
            on_unauthorised(refusal)
            reason = str(refusal)
        except (OSError, TimeoutError, WebSocketException, InvalidHandshake) as error:
            reason = f"{type(error).__name__}: {error}"
        on_lost(reason)
        # A dial that hangs until its timeout takes ten seconds too and proves nothing.
        proven = talking_since_s is not None and loop.time() - talking_since_s >= _PROVEN_AFTER_S
        failures = 0 if proven else min(failures + 1, _MOST_DOUBLINGS)
        longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**failures)
        wait_s = _LONGEST_WAIT_S if unauthorised > 1 else jitter.uniform(0, longest_s)
        log.warning("link.lost", extra={"link": name, "error": reason, "wait_s": round(wait_s, 3)})
        await asyncio.sleep(wait_s)
