"""``dutchbook book PAIR``: both books as they were published last, side by side, with what they are worth."""

import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from services.cli.asking import ask_redis
from services.cli.book_legs import Asked, Books, LegKey, asked_of, keys_of_market, leg_of, newest
from services.cli.book_text import lines_of
from services.cli.output import write_json, write_line
from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.health import FeedBeat
from shared.contracts.streams import CATALOG, FEED_HEALTH, FIELD, PAIRS
from shared.domain.market import MarketId, Venue
from shared.io.bus import Client, Profile, connect
from shared.runtime.errors import StartRefused

_BEATS = 1_000
"""As many as the stream keeps: one a second from each connection, so some seconds of the largest fleet."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


def book_command(
    name: Annotated[str, typer.Argument(metavar="PAIR", help="The id of a pair, or a venue's id of a market.")],
    levels: Annotated[int | None, typer.Option(min=1, help="At most so many levels of each side.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show both legs' latest books in terms of Kalshi's YES: who verified them, how old they are, what is withdrawn."""
    books = ask_redis(lambda url: _books(url, name, levels))
    if as_json:
        write_json(books)
        return
    for line in lines_of(books):
        write_line(line)


async def _books(url: str, name: str, levels: int | None) -> Books:
    redis = connect(url, Profile.WRITER)
    try:
        asked, payloads = await _pair(redis, name) or await _market(redis, name)
        beats = await _beats(redis)
    finally:
        await redis.aclose()
    now_ns = time.time_ns()
    return Books(
        name=name,
        title=asked.title,
        state=asked.state,
        reason=asked.reason,
        orientation=asked.orientation,
        legs=tuple(
            leg_of(key, payload, beats, now_ns=now_ns, most_levels=levels)
            for key, payload in zip(asked.legs, payloads, strict=True)
        ),
    )


async def _pair(redis: Client, name: str) -> tuple[Asked, Sequence[bytes | None]] | None:
    """Return a pair's legs and what is held of them; None when there is no pair of that name."""
    held = await redis.hget(PAIRS.hash_name, name)
    if held is None:
        return None
    try:
        asked = asked_of(PAIRS.decoder.decode(held))
    except _UNREADABLE as error:
        raise StartRefused(f"what the bus holds about {name!r} cannot be read: {error}") from None
    return None if asked is None else (asked, await _held(redis, asked.legs))


async def _market(redis: Client, name: str) -> tuple[Asked, Sequence[bytes | None]]:
    """Return the newest book of a market. Raises StartRefused when there is none."""
    keys = keys_of_market(MarketId(name))
    found = newest(keys, await _held(redis, keys))
    if found is None:
        raise StartRefused(f"there is no pair {name!r} on the bus, and no market's book; see: dutchbook pairs list")
    key, payload = found
    return Asked(await _title(redis, key.venue, name), "market", "", "", (key,)), [payload]


async def _title(redis: Client, venue: Venue, market_id: str) -> str:
    """Return a market's title, empty when the catalog does not hold it."""
    held = await redis.hget(CATALOG[venue].hash_name, market_id)
    try:
        message: CatalogMessage | None = None if held is None else CATALOG[venue].decoder.decode(held)
    except _UNREADABLE:
        return ""
    return "" if message is None or isinstance(message, MarketClosed) else message.market.title


async def _held(redis: Client, keys: Sequence[LegKey]) -> Sequence[bytes | None]:
    found: Sequence[bytes | None] = await redis.mget([key.name for key in keys])
    return found


async def _beats(redis: Client) -> list[FeedBeat]:
    """Return the newest beats, newest first; one that cannot be read is none."""
    beats = []
    for _, fields in await redis.xrevrange(FEED_HEALTH.name, count=_BEATS):
        try:
            beats.append(FEED_HEALTH.decoder.decode(fields[FIELD]))
        except (KeyError, *_UNREADABLE):
            continue
    return beats
