"""The names of every stream and key, what is on them and how long it is kept.

Quote streams, latest books and beats carry a hash-tagged partition from the first day on, so that they alone can
move to a Redis Cluster later. Everything else stays on one node.
"""

from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from shared.contracts.alerts import OperationalAlert
from shared.contracts.baskets import BasketMessage, BasketOpportunityMessage, BasketStanding
from shared.contracts.catalog import CatalogMessage
from shared.contracts.envelope import Message
from shared.contracts.executions import ExecutionMessage
from shared.contracts.funnel import FunnelMessage, PairDiverged
from shared.contracts.health import FeedBeat
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityMessage
from shared.contracts.pairs import PairMessage
from shared.contracts.quotes import QuoteMessage
from shared.domain.market import Venue
from shared.domain.pair import PARTITIONS

M = TypeVar("M", bound=Message)

FIELD = b"d"
"""The one field of every stream entry: the message as JSON."""


class Stream(Generic[M]):
    """One stream: its name, the decoder of its messages and about how many entries it keeps.

    ``keep`` of 0 means that writers never trim: a janitor trims behind the slowest reader.
    """

    def __init__(self, name: str, decoder: "msgspec.json.Decoder[M]", *, keep: int, hash_name: str = "") -> None:
        self.name = name
        self.decoder = decoder
        self.keep = keep
        self.hash_name = hash_name
        """Where the latest message per key is kept, for compacted streams."""

    def __repr__(self) -> str:
        return f"Stream({self.name})"


CATALOG: dict[Venue, Stream[CatalogMessage]] = {
    venue: Stream(
        f"arb:v1:catalog:{venue}",
        msgspec.json.Decoder(CatalogMessage),
        keep=50_000,
        hash_name=f"arb:v1:markets:{venue}",
    )
    for venue in Venue
}
PAIRS: Stream[PairMessage] = Stream(
    "arb:v1:pairs", msgspec.json.Decoder(PairMessage), keep=10_000, hash_name="arb:v1:pair"
)
QUOTES: dict[Venue, tuple[Stream[QuoteMessage], ...]] = {
    venue: tuple(
        Stream(f"arb:v1:quotes:{venue}:{{p{part:02d}}}", msgspec.json.Decoder(QuoteMessage), keep=20_000)
        for part in range(PARTITIONS)
    )
    for venue in Venue
}
FEED_HEALTH: Stream[FeedBeat] = Stream("arb:v1:feed_health", msgspec.json.Decoder(FeedBeat), keep=1_000)
OPPORTUNITIES: Stream[OpportunityMessage] = Stream(
    "arb:v1:opportunities", msgspec.json.Decoder(OpportunityMessage), keep=0, hash_name="arb:v1:episodes"
)
FUNNEL: Stream[FunnelMessage] = Stream(
    "arb:v1:funnel", msgspec.json.Decoder(FunnelMessage), keep=2_000, hash_name="arb:v1:standing"
)
DIVERGENCES: Stream[PairDiverged] = Stream(
    "arb:v1:divergences", msgspec.json.Decoder(PairDiverged), keep=1_000, hash_name="arb:v1:diverged"
)
BASKETS: Stream[BasketMessage] = Stream(
    "arb:v1:baskets", msgspec.json.Decoder(BasketMessage), keep=2_000, hash_name="arb:v1:basket"
)
BASKET_OPPORTUNITIES: Stream[BasketOpportunityMessage] = Stream(
    "arb:v1:basket_opportunities",
    msgspec.json.Decoder(BasketOpportunityMessage),
    keep=0,
    hash_name="arb:v1:basket_episodes",
)
BASKET_FUNNEL: Stream[BasketStanding] = Stream(
    "arb:v1:basket_funnel", msgspec.json.Decoder(BasketStanding), keep=2_000, hash_name="arb:v1:basket_standing"
)
ALERTS: Stream[OperationalAlert] = Stream("arb:v1:alerts", msgspec.json.Decoder(OperationalAlert), keep=0)


@lru_cache(maxsize=64)
def intents(account: str) -> Stream[HedgedIntent]:
    """Return the stream of intents for one account."""
    return Stream(f"arb:v1:intents:{account}", msgspec.json.Decoder(HedgedIntent), keep=0)


@lru_cache(maxsize=64)
def executions(account: str) -> Stream[ExecutionMessage]:
    """Return the stream of what became of one account's intents."""
    return Stream(f"arb:v1:executions:{account}", msgspec.json.Decoder(ExecutionMessage), keep=100_000)


def book_key(venue: str, market_id: str, part: int) -> str:
    """Return the key that holds a market's latest ``Quote`` or ``QuotesStale`` in one partition."""
    return f"arb:v1:book:{{p{part:02d}}}:{venue}:{market_id}"


def outbox_key(src: str, outbox_id: str) -> str:
    """Return the key that holds the number of the last message that Redis took from one outbox of a service."""
    return f"arb:v1:outbox:{src}:{outbox_id}"


def armed_key(account: str) -> str:
    """Return the key of the lease that must exist for any live order to leave."""
    return f"arb:v1:armed:{account}"


DETECTOR_LEASES = "arb:v1:leases:arb_detector"
"""The hash that says which detector process has which partition; a writer whose lease another has taken writes
nothing."""


def dead_letter_name(stream: Stream[Any]) -> str:
    """Return the stream that takes entries which killed or refused their reader five times."""
    return f"{stream.name}:dead"
