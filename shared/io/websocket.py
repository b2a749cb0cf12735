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
from email.utils import parsedate_to_datetime

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
_LATER = frozenset({429, 503})
LONGEST_ASKED_S = 300.0
"""A server that asks us to stay away for longer is asked again after this long."""

log = logging.getLogger(__name__)


class Unauthorised(Exception):
    """The venue refused the handshake's signature or key; ``body`` is what it said."""

    def __init__(self, body: str) -> None:
        super().__init__(f"the handshake was refused with 401: {body[:300]}")
        self.body = body


class TryLater(Exception):
    """The venue refused the handshake with 429 or 503 and said in ``Retry-After`` when to come back."""

    def __init__(self, status: int, wait_s: float) -> None:
        super().__init__(f"the handshake was refused with {status}: try again in {wait_s:.0f} s")
        self.wait_s = wait_s


class _NoRedirects(connect):
    """Takes a redirect for the refusal it is: the library would send the venue's signed headers to the new host."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def dial(
    url: str, headers: Mapping[str, str] | None = None, *, ping_interval_s: float | None = 10.0
) -> FrameLink:
    """Open one connection without compression, proxies or redirects.

    Raises Unauthorised on 401, TryLater on 429 and 503 that say when, OSError, TimeoutError or WebSocketException
    otherwise.
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
        status, headers = error.response.status_code, error.response.headers
        if status == _UNAUTHORISED:
            raise Unauthorised((error.response.body or b"").decode(errors="replace")) from None
        wait_s = asked_wait_s(headers.get("Retry-After"), headers.get("Date")) if status in _LATER else None
        if wait_s is not None:
            raise TryLater(status, wait_s) from None
        raise


def asked_wait_s(retry_after: str | None, date: str | None) -> float | None:
    """Return for how long a ``Retry-After`` header wants us away, at most five minutes; None when it does not say.

    The header holds seconds or a date (RFC 9110, 10.2.3). A date is compared with the answer's own ``Date``, because
    the server's clock need not be ours.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST_ASKED_S)
    if date is None:
        return None
    try:
        asked_s = (parsedate_to_datetime(text) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):  # no date, or only one of the two with a zone
        return None
    return min(max(0.0, asked_s), LONGEST_ASKED_S)


async def keep_connected(
    open_link: Callable[[], Awaitable[FrameLink]],
    talk: Callable[[FrameLink], Awaitable[None]],
    *,
    name: str,
    on_lost: Callable[[str], None],
    on_unauthorised: Callable[[Unauthorised], None],
    jitter: random.Random,
    proven_after_s: float = _PROVEN_AFTER_S,
) -> None:
    """Dial, talk, and dial again when the link is lost, until cancelled.

    ``open_link`` signs anew each time. ``talk`` returns or raises when the link is done with. The pause before the
    n-th dial in a row is uniform between 0 and min(30, 0.25 * 2**n) seconds; n starts over only after
    ``proven_after_s`` of talk. A second 401 in a row waits the longest pause, and a venue that says when to come back
    is left alone until then; the jittered pause follows, so that not everybody comes back together.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    unauthorised = 0
    while True:
        talking_since_s = None
        asked_s = 0.0
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
        except TryLater as later:
            asked_s, reason = later.wait_s, str(later)
        except (OSError, TimeoutError, WebSocketException, InvalidHandshake) as error:
            reason = f"{type(error).__name__}: {error}"
        on_lost(reason)
        # A dial that hangs until its timeout takes ten seconds too and proves nothing.
        proven = talking_since_s is not None and loop.time() - talking_since_s >= proven_after_s
        failures = 0 if proven else min(failures + 1, _MOST_DOUBLINGS)
        longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**failures)
        wait_s = _LONGEST_WAIT_S if unauthorised > 1 else asked_s + jitter.uniform(0, longest_s)
        log.warning("link.lost", extra={"link": name, "error": reason, "wait_s": round(wait_s, 3)})
        await asyncio.sleep(wait_s)
