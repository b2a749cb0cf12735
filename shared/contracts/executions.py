"""What became of intents: a projection of the executor's ledger, ordered by ``ledger_seq``."""

from decimal import Decimal
from typing import Literal

from shared.contracts.envelope import Message
from shared.domain.market import MarketId
from shared.domain.pair import PairId

Mode = Literal["dry", "live"]


class _Execution(Message, frozen=True, kw_only=True):
    ledger_seq: int
    """Counts up by one per event of the ledger; readers drop what they have seen."""
    account: str
    mode: Mode
    intent_id: str
    opportunity_id: str
    pair_id: PairId
    happened_ts_ns: int
    """Our clock."""
    wire_ts_ns: int = 0
    """Our clock when the frame that led to the intent was read from its socket."""
    intent_read_ts_ns: int = 0
    """Our clock when the executor had the intent."""


class IntentRefused(_Execution, frozen=True, kw_only=True, tag="intent_refused"):
    """The intent was not acted upon and never will be."""

    reason: str
    """The name of the check that refused."""
    detail: str = ""


class OrderJournaled(_Execution, frozen=True, kw_only=True, tag="order_journaled"):
    """The order stands in the ledger; nothing has left yet."""

    client_order_id: str
    market_id: MarketId
    outcome: Literal["yes", "no"]
    contracts: Decimal
    limit_price_dollars: Decimal


class OrderDone(_Execution, frozen=True, kw_only=True, tag="order_done"):
    """The order is over, filled in whole, in part or not at all."""

    client_order_id: str
    market_id: MarketId
    outcome: Literal["yes", "no"]
    contracts: Decimal
    filled_contracts: Decimal
    fills: tuple[tuple[Decimal, Decimal, Decimal], ...]
    """Price, contracts and fee of each fill."""
    cost_dollars: Decimal
    fee_dollars: Decimal


ExecutionMessage = IntentRefused | OrderJournaled | OrderDone
