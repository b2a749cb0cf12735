"""Which of a feed's connections carries which market: one stays where it is, a new one goes where there is room."""

from collections import Counter
from collections.abc import Iterable, Mapping

from shared.domain.market import MarketId


def assigned(
    wanted: Iterable[MarketId], carried: Mapping[MarketId, int], *, per_connection: int
) -> dict[MarketId, int]:
    """Return the number of the connection of each wanted market; new ones are placed in the order of ``wanted``."""
    assert per_connection > 0, per_connection
    wanted = list(dict.fromkeys(wanted))
    found = {market_id: carried[market_id] for market_id in wanted if market_id in carried}
    load = Counter(found.values())
    number = 0
    for market_id in wanted:
        if market_id not in found:
            while load[number] >= per_connection:
                number += 1
            found[market_id] = number
            load[number] += 1
    return found
