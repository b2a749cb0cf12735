"""Kalshi's switches: what can be made to go wrong, and what some client needs to be otherwise.

Recorded failures and the simulator checklist of the Kalshi API reference, 2026-11-21 (§4.9, §11).
"""

from services.venue_sim.faults import FaultKind

SKIP_DELTA = FaultKind("skip_delta", "times", "leave out the next delta of a subscription; its number is used up")
REPEAT_DELTA = FaultKind("repeat_delta", "times", "send the next delta of a subscription twice, number and all")
OLD_SEQ = FaultKind(
    "old_seq", "times", "send the next delta of a subscription once more, numbered 3 too low, before it"
)
SWAP_DELTAS = FaultKind("swap_deltas", "times", "send the next frame of a subscription after the one that follows it")
BELOW_ZERO = FaultKind("below_zero", "times", "the next delta of a subscription takes more away than any level has")
CHANNEL_ERROR = FaultKind("channel_error", "times", "end every order-book subscription with error 10")
BUFFER_OVERFLOW = FaultKind("buffer_overflow", "times", "end every order-book subscription with error 25")
ACK_LATE = FaultKind("ack_late", "times", "acknowledge the next subscription after its first snapshots")
REFUSE_HANDSHAKE = FaultKind("refuse_handshake", "times", "answer the next WebSocket handshake with 502")
DROP_CONNECTION = FaultKind("drop_connection", "times", "cut every connection without a close frame")
FREEZE = FaultKind("freeze", "while_on", "hold all frames back; pings go on, and what was held follows")
BURST = FaultKind("burst", "while_on", "after each operation send so many more deltas that come to nothing, two by two")
TRADING_PAUSED = FaultKind("trading_paused", "while_on", "orders may be cancelled but not placed, as each Thursday")
EXCHANGE_PAUSED = FaultKind("exchange_paused", "while_on", "no order request works, cancels included")
BOTH_SIDES = FaultKind(
    "always_both_sides", "while_on", "snapshots write an empty side as [], as kalshi-sdk 22.4.0 asks"
)
OK_WITHOUT_SEQ = FaultKind("ok_without_seq", "while_on", "an ok frame takes no number of its subscription")

WEBSOCKET = (
    SKIP_DELTA,
    REPEAT_DELTA,
    OLD_SEQ,
    SWAP_DELTAS,
    BELOW_ZERO,
    CHANNEL_ERROR,
    BUFFER_OVERFLOW,
    ACK_LATE,
    REFUSE_HANDSHAKE,
    DROP_CONNECTION,
    FREEZE,
    BURST,
    BOTH_SIDES,
    OK_WITHOUT_SEQ,
)
