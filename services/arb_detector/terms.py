"""How a listed market is bought: its fees, or the worst that may be assumed, and its sizes."""

from decimal import ROUND_CEILING, Decimal

from shared.domain.arbitrage import MarketTerms
from shared.domain.fee_tables import taker_fees
from shared.domain.fees import (
    KALSHI_RATES,
    POLYMARKET_CONSERVATIVE_RATE,
    FeeSchedule,
    FeesRefused,
    KalshiFees,
    PolymarketFees,
)
from shared.domain.market import Market, Venue

_SIZE_DIGITS = 6
_SIZE_QUANTUM = Decimal("0.000001")
_NOTIONAL_QUANTUM = Decimal("0.0001")


def fees_or_worst_case(market: Market) -> tuple[FeeSchedule, str]:
    """Return the market's fees, or the venue's highest ordinary rate and why it had to be assumed.

    Whoever reads an alert then sees an edge that is not too good; money does not follow an assumption.
    """
    try:
        if market.fees is None:
            raise FeesRefused("the venue did not say")
        taker_fees(market.fees)
    except FeesRefused as refusal:
        return _worst_case(market.venue), f"fees on {market.venue} are assumed: {refusal}"
    return market.fees, ""


def is_priceable(market: Market) -> bool:
    """Return whether a market's sizes are multiples of a step that can be counted in millionths of a contract."""
    step = market.size_step_contracts
    return step > 0 and step == round(step, _SIZE_DIGITS)


def terms_of(market: Market, fees: FeeSchedule, *, max_capital_dollars: Decimal | None = None) -> MarketTerms:
    """Return how a leg on a market is bought; what is too fine to be counted is rounded up."""
    return MarketTerms(
        fees=fees,
        size_step_contracts=market.size_step_contracts,
        min_contracts=market.min_contracts.quantize(_SIZE_QUANTUM, rounding=ROUND_CEILING),
        min_notional_dollars=market.min_notional_dollars.quantize(_NOTIONAL_QUANTUM, rounding=ROUND_CEILING),
        max_capital_dollars=max_capital_dollars,
    )


def fee_source(terms: MarketTerms) -> str:
    """Return where a leg's fees were read, and from when on they are charged."""
    return f"{terms.fees.source}, from {terms.fees.effective_from.isoformat()}"


def _worst_case(venue: Venue) -> FeeSchedule:
    source = "assumed: the highest ordinary rate"
    if venue is Venue.KALSHI:
        return KalshiFees(
            fee_type="quadratic",
            multiplier=Decimal(1),
            effective_from=KALSHI_RATES.effective_from,
            source=source,
        )
    return PolymarketFees(rate=POLYMARKET_CONSERVATIVE_RATE, effective_from=KALSHI_RATES.effective_from, source=source)
