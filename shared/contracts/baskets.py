"""Which baskets are watched, the episodes in which one costs less than it pays, and where each one stands.

On streams of their own: readers of pairs and of pairs' opportunities have never heard of baskets.
"""

from decimal import Decimal

from shared.contracts.envelope import Message
from shared.contracts.funnel import LegStanding
from shared.contracts.opportunities import LegEvidence
from shared.domain.baskets import BasketKind
from shared.domain.live_basket import BasketId, LiveBasket
from shared.domain.market import Venue


class BasketActivated(Message, frozen=True, kw_only=True, tag="basket_activated"):
    """A basket may be watched and alerted on."""

    basket: LiveBasket


class BasketSuspended(Message, frozen=True, kw_only=True, tag="basket_suspended"):
    """A basket is switched on, and the venue's listing does not bear it now."""

    basket: LiveBasket
    reason: str


class BasketRetired(Message, frozen=True, kw_only=True, tag="basket_retired"):
    """A basket is over: its event is, or nobody has it switched on any more."""

    basket_id: BasketId
    reason: str


class _BasketEconomics(Message, frozen=True, kw_only=True):
    opportunity_id: str
    """One per episode, the same through all its messages."""
    basket_id: BasketId
    basket_version: str
    kind: BasketKind
    venue: Venue
    event_id: str
    title: str = ""
    source: str = ""
    """The mapping row that switched the basket on, and who reviewed it."""
    assumes: tuple[str, ...]
    """Why it pays, in words for whoever reads the alert."""
    mutually_exclusive: bool = False
    """What the venue states about the event, as the three that follow."""
    neg_risk: bool = False
    neg_risk_augmented: bool = False
    event_market_count: int | None = None
    contracts: Decimal
    """Bought on every leg alike."""
    cost_dollars: Decimal
    """All legs, without fees."""
    fee_dollars: Decimal
    payout_dollars: Decimal
    """The least that comes back, whatever happens."""
    edge_dollars: Decimal
    """Payout less cost, fees and haircut."""
    haircut_dollars: Decimal = Decimal(0)
    capital_dollars: Decimal
    max_capital_dollars: Decimal | None = None
    """What all legs together were allowed to take from the venue's account; None for no limit."""
    days_to_payout: Decimal | None = None
    annualised_return: Decimal | None = None
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    min_edge_dollars_per_contract: Decimal = Decimal(0)
    """What every contract of the set had to earn to be taken."""
    legs: tuple[LegEvidence, ...]
    labels: tuple[str, ...]
    """What the YES of each leg stands for, in the order of the legs."""
    wire_ts_ns: int
    """Our clock when the frame that led to this message was read from its socket."""
    detected_ts_ns: int
    seen_ts_ns: int = 0
    """Our clock when the episode's edge was first seen."""
    opened_ts_ns: int = 0
    peak_edge_dollars: Decimal = Decimal(0)
    peak_contracts: Decimal = Decimal(0)
    capturable_dollars: Decimal | None = None
    """As in ``OpportunityOpened``."""
    alert_only: str
    """Why no intent follows; for a basket none ever does."""


class BasketOpened(_BasketEconomics, frozen=True, kw_only=True, tag="basket_opened"):
    """A basket's edge held through the debounce on trusted legs."""


class BasketUpdated(_BasketEconomics, frozen=True, kw_only=True, tag="basket_updated"):
    """An open episode's edge, size or legs changed materially."""


class BasketClosed(Message, frozen=True, kw_only=True, tag="basket_closed"):
    """An episode is over."""

    opportunity_id: str
    basket_id: BasketId
    reason: str
    opened_ts_ns: int
    closed_ts_ns: int
    peak_edge_dollars: Decimal
    peak_contracts: Decimal
    lifetime_ms: int = 0
    capturable_dollars: Decimal = Decimal(0)


class BasketStanding(Message, frozen=True, kw_only=True, tag="basket_standing"):
    """Where one basket stands: what its last evaluation came to, with the figures behind it."""

    basket_id: BasketId
    basket_version: str
    title: str = ""
    reason: str
    """The one outcome of the last evaluation."""
    since_ts_ns: int
    as_of_ts_ns: int
    evaluations: int
    """Since this process took the basket over."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Those evaluations by reason, the most frequent first; they add up."""
    asked_dollars_per_contract: Decimal = Decimal(0)
    asked_dollars: Decimal = Decimal(0)
    alert_only: str = ""
    legs: tuple[LegStanding, ...] = ()
    edge_dollars_per_contract: Decimal | None = None
    """What the first contract of the best set would earn at the best prices by unrounded fees; None when a basket
    cannot be priced."""
    opportunity_id: str = ""
    """The open episode, empty when there is none."""
    waited_ms: int = 0


BasketMessage = BasketActivated | BasketSuspended | BasketRetired
BasketOpportunityMessage = BasketOpened | BasketUpdated | BasketClosed
