"""An opportunity as the detector told it, turned into the file that ``dutchbook evaluate`` prices again.

Nothing of the message's results goes into the file: only ladders, fees, grids, minima and limits.
"""

from decimal import Decimal
from typing import Any, get_args

import msgspec

from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.contracts.opportunities import LegEvidence, OpportunityOpened, OpportunityUpdated
from shared.domain.evaluation import EvaluationRefused
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.market import Venue

_Opportunity = OpportunityOpened | OpportunityUpdated | BasketOpened | BasketUpdated
_DECODER: "msgspec.json.Decoder[_Opportunity]" = msgspec.json.Decoder(_Opportunity)
_MOST_SHOWN = 200
_MOST_ZEROS = 30
"""A number is written out in full: one with an exponent beyond this is nonsense, and would fill the memory."""
_TYPES = tuple(str(kind.__struct_config__.tag) for kind in get_args(_Opportunity))


class _Tagged(msgspec.Struct):
    type: str = ""


def evaluation_file(data: bytes) -> bytes:
    """Return the file to evaluate: ``data`` itself, unless it is an opportunity from the stream.

    Raises EvaluationRefused for an opportunity that cannot be read or does not carry its terms.
    """
    try:
        is_opportunity = msgspec.json.decode(data, type=_Tagged).type in _TYPES
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data
    if not is_opportunity:
        return data
    try:
        message = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationRefused(f"the opportunity cannot be read: {str(error)[:_MOST_SHOWN]}") from error
    if isinstance(message, BasketOpened | BasketUpdated):
        return msgspec.json.encode(_file_of_basket(message))
    return msgspec.json.encode(_file_of(message))


def _file_of_basket(message: BasketOpened | BasketUpdated) -> dict[str, Any]:
    """Return the file of a basket; of ``every_no`` only the markets that were bought, which is all it needs."""
    haircut_dollars, most_dollars = message.void_haircut_dollars_per_contract, message.max_capital_dollars
    return {
        "basket": message.kind.value,
        "venue": message.venue.value,
        "event": {
            "mutually_exclusive": message.mutually_exclusive,
            "neg_risk": message.neg_risk,
            "neg_risk_augmented": message.neg_risk_augmented,
            **({} if message.event_market_count is None else {"markets": str(message.event_market_count)}),
        },
        "markets": [{"market": leg.market_id, **_market(leg)} for leg in message.legs],
        "limits": {
            "min_edge_dollars_per_contract": _text(message.min_edge_dollars_per_contract),
            "max_capital_dollars": None if most_dollars is None else _text(most_dollars),
            **({"void_haircut_dollars_per_contract": _text(haircut_dollars)} if haircut_dollars else {}),
        },
        **({} if message.days_to_payout is None else {"days_to_payout": _text(message.days_to_payout)}),
    }


def _file_of(message: OpportunityOpened | OpportunityUpdated) -> dict[str, Any]:
    kalshi, polymarket = message.legs
    haircut_dollars, days = message.void_haircut_dollars_per_contract, message.days_to_payout
    return {
        "orientation": message.orientation.value,
        "kalshi": _market(kalshi),
        "polymarket": _market(polymarket),
        "limits": {
            "min_edge_dollars_per_contract": _text(message.min_edge_dollars_per_contract),
            "max_capital_dollars": {
                leg.venue.value: None if leg.max_capital_dollars is None else _text(leg.max_capital_dollars)
                for leg in message.legs
            },
            **({"void_haircut_dollars_per_contract": _text(haircut_dollars)} if haircut_dollars else {}),
        },
        **({} if days is None else {"days_to_payout": _text(days)}),
    }


def _market(leg: LegEvidence) -> dict[str, Any]:
    return {
        "yes_bids": [[_text(price), _text(size)] for price, size in leg.yes_bids],
        "yes_asks": [[_text(price), _text(size)] for price, size in leg.yes_asks],
        "fee": _fee(leg),
        "size_step": _text(leg.size_step_contracts),
        "min_contracts": _text(leg.min_contracts),
        "min_notional_dollars": _text(leg.min_notional_dollars),
    }


def _fee(leg: LegEvidence) -> dict[str, Any]:
    match leg.venue, leg.fees:
        case Venue.KALSHI, KalshiFees() as fees:
            return {
                "type": fees.fee_type,
                "multiplier": _text(fees.multiplier),
                "precision": _text(fees.precision_dollars),
            }
        case Venue.POLYMARKET, PolymarketFees() as fees:
            return {"rate": _text(fees.rate), "exponent": str(fees.exponent)}
    raise EvaluationRefused(f"the opportunity does not carry the fee terms of its {leg.venue.value} leg")


def _text(value: Decimal) -> str:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or not -_MOST_ZEROS <= exponent <= _MOST_ZEROS:
        raise EvaluationRefused(f"the opportunity holds {value}, which is no amount of anything")
    return f"{value:f}"
