"""What a pair's market paid, asked of Kalshi."""

from decimal import Decimal

from services.kalshi_feed.rest_client import RestClient, RestFailed
from shared.domain.pair import Pair
from shared.runtime.results import ResultUnknown
from shared.venues.kalshi import catalog, rest


async def paid_dollars(client: RestClient, pair: Pair) -> Decimal | None:
    """Return what YES of a pair's market paid, None before it is final. Raises ResultUnknown."""
    try:
        return catalog.yes_paid_dollars(await client.get(rest.market_request(pair.kalshi_ticker)))
    except (RestFailed, catalog.BodyRefused) as error:
        raise ResultUnknown(str(error)) from error
