"""Which baskets there are, for ``dutchbook pairs list``."""

import msgspec

from shared.contracts.baskets import BasketActivated, BasketSuspended
from shared.contracts.streams import BASKETS
from shared.runtime.latest import load_now


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
    latest, _ = await load_now(redis_url, BASKETS)
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
