"""What the command line says of baskets: which there are, and why one is not alerting."""

import msgspec

from shared.contracts.baskets import BasketActivated, BasketMessage, BasketStanding, BasketSuspended
from shared.contracts.streams import BASKET_FUNNEL, BASKETS
from shared.io.bus import Client, Profile, connect, load_latest
from shared.runtime.errors import StartRefused


class WhyBasket(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the basket's state on the bus, the one present reason, and what the detector said with it."""

    basket_id: str
    state: str
    """``live`` or ``suspended``."""
    reason: str
    for_ms: int | None = None
    """Since when it is so."""
    age_ms: int | None = None
    """How old the detector's word is; None when it said nothing."""
    standing: BasketStanding | None = None


class BasketLine(msgspec.Struct, frozen=True, kw_only=True):
    """One basket in ``dutchbook pairs list``."""

    basket_id: str
    state: str
    """``live`` (which is alert-only) or ``suspended``."""
    markets: int
    title: str
    source: str
    reason: str
    """Why it is suspended."""


async def read_baskets(redis_url: str) -> list[BasketLine]:
    """Return what the baskets' hash holds, live baskets first."""
    redis = connect(redis_url, Profile.WRITER)
    try:
        latest, _ = await load_latest(redis, BASKETS)
    finally:
        await redis.aclose()
    lines = [
        BasketLine(
            basket_id=message.basket.basket_id,
            state="suspended" if isinstance(message, BasketSuspended) else "live",
            markets=len(message.basket.members),
            title=message.basket.title,
            source=message.basket.source,
            reason=message.reason if isinstance(message, BasketSuspended) else "",
        )
        for message in latest.values()
        if isinstance(message, BasketActivated | BasketSuspended)
    ]
    return sorted(lines, key=lambda line: (line.state, line.basket_id))


def basket_answer(
    found: BasketActivated | BasketSuspended, standing: BasketStanding | None, *, now_ns: int, old_s: int
) -> WhyBasket:
    """Return the answer from what the bus holds; a word older than ``old_s`` is said to be old."""
    basket_id = found.basket.basket_id
    if isinstance(found, BasketSuspended):
        return WhyBasket(basket_id=basket_id, state="suspended", reason=f"the basket is suspended: {found.reason}")
    if standing is None:
        return WhyBasket(basket_id=basket_id, state="live", reason="no detector has looked at it yet; does one run?")
    age_ms = max(0, now_ns - standing.as_of_ts_ns) // 1_000_000
    reason = standing.reason
    if age_ms > old_s * 1_000:
        reason = f"no detector has looked at it for {age_ms // 1_000} s; then: {reason}"
    for_ms = max(0, now_ns - standing.since_ts_ns) // 1_000_000
    return WhyBasket(basket_id=basket_id, state="live", reason=reason, for_ms=for_ms, age_ms=age_ms, standing=standing)


async def read_basket(redis: Client, name: str) -> tuple[BasketMessage | None, BasketStanding | None]:
    """Return what the bus holds about a basket. Raises StartRefused when that cannot be read."""
    found = await redis.hget(BASKETS.hash_name, name)
    standing = await redis.hget(BASKET_FUNNEL.hash_name, name)
    try:
        return (
            None if found is None else BASKETS.decoder.decode(found),
            None if standing is None else BASKET_FUNNEL.decoder.decode(standing),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StartRefused(f"what the bus holds about {name!r} cannot be read: {error}") from None
