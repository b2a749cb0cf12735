"""The health check of a container, whether its service works: ``python -m shared.runtime.probe [VENUE]``.

A service works when it can use its Redis; a feed works when its venue's last beat is young and not down. Exit status 0
for yes; 1 for no, with one line that says why.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from shared.contracts.streams import FEED_HEALTH, FIELD
from shared.domain.market import Venue
from shared.io.bus import Profile, connect
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.redis_address import redis_url_in
from shared.runtime.redis_server import check_redis

OLDEST_BEAT_MS = 10_000
_LOOKED_AT = 200


class NotWorking(StartRefused):
    """The service runs and does not do its work; the message says what is missing."""


async def probe(redis_url: str, venue: Venue | None, clock: Clock) -> None:
    """Raise StartRefused when the Redis cannot be used, or ``venue`` is given and its feed does not beat."""
    await check_redis(redis_url)
    if venue is None:
        return
    client = connect(redis_url, Profile.READER)
    try:
        entries = await client.xrevrange(FEED_HEALTH.name, count=_LOOKED_AT)
    finally:
        await client.aclose()
    beats = (FEED_HEALTH.decoder.decode(fields[FIELD]) for _, fields in entries)
    latest = next((beat for beat in beats if beat.venue == venue), None)
    if latest is None:
        raise NotWorking(f"no beat of the {venue} feed among the last {_LOOKED_AT}")
    age_ms = clock.now_ms() - latest.sent_ts_ns // 1_000_000
    if age_ms > OLDEST_BEAT_MS:
        raise NotWorking(f"the last beat of the {venue} feed is {age_ms} ms old; {OLDEST_BEAT_MS} is the limit")
    if latest.state == "down":
        raise NotWorking(f"the {venue} feed says that connection {latest.connection} is down")


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the probe and return the exit status."""
    try:
        redis_url = redis_url_in(environ)
        if arguments and arguments[0] not in list(Venue):
            raise SettingsRefused(f"{arguments[0]!r} is not a venue; expected one of {', '.join(Venue)}")
        asyncio.run(probe(redis_url, Venue(arguments[0]) if arguments else None, SystemClock()))
    except StartRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return refusal.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
