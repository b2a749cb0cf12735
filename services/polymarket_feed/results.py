"""What a pair's market paid, asked of Polymarket."""

from decimal import Decimal

from shared.domain.pair import Pair
from shared.io.http import HttpClient, HttpUnavailable
from shared.runtime.results import ResultUnknown
from shared.venues.polymarket import rest
from shared.venues.polymarket.rest import RestRefused
from shared.venues.polymarket.urls import settled_market_path


async def paid_dollars(clob: HttpClient, pair: Pair) -> Decimal | None:
    """Return what outcome 0 of a pair's market paid, None before it is known. Raises ResultUnknown."""
    path = settled_market_path(pair.polymarket_id)
    try:
        answer = await clob.get(path)
        if answer.status != 200:
            raise ResultUnknown(f"GET {path}: {answer.status} {answer.body[:200]!r}")
        return rest.paid_dollars(answer.body, pair.polymarket_token_ids[0])
    except (HttpUnavailable, RestRefused) as error:
        raise ResultUnknown(str(error)) from error
