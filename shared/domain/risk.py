"""What must hold before an order may be journaled.

``approve`` looks at one signed intent and at everything known at that moment, given as plain values. It returns an
``ApprovedIntent``, which nothing else can make and the executor alone accepts, or the first ``Refusal``.
"""

from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from shared.domain.market import MarketId
from shared.domain.orders import Outcome
from shared.domain.pair import PairId
from shared.domain.risk_checks import CHECKS, too_late
from shared.domain.risk_terms import Context, Intent, RefusalReason


class Refusal(msgspec.Struct, frozen=True):
    """The first check that did not hold, and the numbers that it saw."""

    reason: RefusalReason
    detail: str


_SEAL = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedIntent:
    """Kalshi's leg of an intent that passed every check. Only ``approve`` makes one."""

    intent_id: str
    opportunity_id: str
    pair_id: PairId
    market_id: MarketId
    outcome: Outcome
    contracts: Decimal
    limit_price_dollars: Decimal
    max_fee_dollars: Decimal
    created_ts_ns: int
    expires_ts_ns: int
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse to exist without the seal that this module keeps to itself."""
        if self.seal is not _SEAL:
            raise TypeError("an ApprovedIntent comes from approve() and from nowhere else")


def approve(intent: Intent, context: Context) -> ApprovedIntent | Refusal:
    """Return the order that may be journaled, or the first check that refuses the intent."""
    for reason, check in CHECKS.items():
        detail = next(iter(check(intent, context)), None)
        if detail is not None:
            return Refusal(reason, detail)
    leg = intent.legs[0]
    return ApprovedIntent(
        intent_id=intent.intent_id,
        opportunity_id=intent.opportunity_id,
        pair_id=intent.pair_id,
        market_id=leg.market_id,
        outcome=leg.outcome,
        contracts=leg.contracts,
        limit_price_dollars=leg.limit_price_dollars,
        max_fee_dollars=leg.max_fee_dollars,
        created_ts_ns=intent.created_ts_ns,
        expires_ts_ns=intent.expires_ts_ns,
        seal=_SEAL,
    )


def still_allowed(approved: ApprovedIntent, *, now_ns: int, waited_ms: int, killed: bool) -> Refusal | None:
    """Repeat, right before the order leaves, the checks that time alone can turn: the kill and the expiry."""
    if killed:
        return Refusal(RefusalReason.KILLED, "the kill file appeared after the checks")
    for detail in too_late(approved.created_ts_ns, approved.expires_ts_ns, now_ns, waited_ms):
        return Refusal(RefusalReason.EXPIRED, detail)
    return None
