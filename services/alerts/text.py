"""What an alert says, as text that Slack shows and does nothing else with.

Titles come from venues and may be hostile: whatever could start a mention, a link, a format, a new line or change the
direction of reading is taken out or replaced by a look-alike (Slack, formatting text for app surfaces, 2026: only
``&``, ``<`` and ``>`` are control characters; link detection and formatting are switched off in the message besides).
"""

import unicodedata
from decimal import Decimal

from shared.contracts.alerts import OperationalAlert
from shared.contracts.baskets import BasketClosed, BasketOpened
from shared.contracts.opportunities import LegEvidence, OpportunityClosed, OpportunityOpened

_LONGEST_TEXT = 150
_LONGEST_MESSAGE = 3_000
_MOST_LEGS = 8
"""Of a basket's legs; more do not help anybody and the message has an end."""
_LOOK_ALIKES = str.maketrans(
    {"`": "'", "*": "∗", "_": "‗", "~": "∼", "@": "＠", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_NS_PER_MS = 1_000_000


def inert(text: str, *, longest: int = _LONGEST_TEXT) -> str:
    """Return ``text`` on one line, shortened, with nothing in it that Slack would act upon."""
    visible = "".join(_visible(character) for character in unicodedata.normalize("NFC", text[: 4 * longest]))
    line = " ".join(visible.split())
    if len(line) > longest:
        line = f"{line[: longest - 1]}…"
    return line.replace("://", ": //").translate(_LOOK_ALIKES)


def opened_text(message: OpportunityOpened, *, source: str, now_ns: int) -> str:
    """Say what an episode offers. ``source`` is where its pair comes from, empty when that is not known."""
    age_ms = max(0, (now_ns - message.detected_ts_ns) // _NS_PER_MS)
    lines = [
        f"Edge ${_plain(message.edge_dollars)} on {_plain(message.contracts)} contracts: {inert(message.title)}",
        *(_leg_line(leg, message.contracts) for leg in message.legs),
        f"cost ${_plain(message.cost_dollars)} + fees ${_plain(message.fee_dollars)}, "
        f"pays ${_plain(message.payout_dollars)}",
        f"pair {inert(message.pair_id)} from {inert(source) or 'an unknown source'}, seen {age_ms} ms ago, "
        f"episode {inert(message.opportunity_id)}",
    ]
    if message.alert_only:
        lines.append(f"alert only: {inert(message.alert_only)}")
    return "\n".join(lines)[:_LONGEST_MESSAGE]


def basket_opened_text(message: BasketOpened, *, now_ns: int) -> str:
    """Say what a basket offers: every leg, why it pays, what it costs."""
    age_ms = max(0, (now_ns - message.detected_ts_ns) // _NS_PER_MS)
    venue = message.venue.value.capitalize()
    legs = [
        _leg_line(leg, message.contracts, of=inert(label, longest=60))
        for leg, label in zip(message.legs, message.labels, strict=True)
    ]
    if len(legs) > _MOST_LEGS:
        legs = [*legs[:_MOST_LEGS], f"and {len(legs) - _MOST_LEGS} more"]
    return "\n".join(
        [
            f"Edge ${_plain(message.edge_dollars)} in a basket of {len(message.legs)} on {venue}, "
            f"{_plain(message.contracts)} contracts each: {inert(message.title)}",
            *legs,
            f"cost ${_plain(message.cost_dollars)} + fees ${_plain(message.fee_dollars)}, "
            f"pays at least ${_plain(message.payout_dollars)}",
            f"because {inert('; '.join(message.assumes), longest=300)}",
            f"basket {inert(message.basket_id)} from {inert(message.source) or 'an unknown source'}, "
            f"seen {age_ms} ms ago, episode {inert(message.opportunity_id)}",
            f"alert only: {inert(message.alert_only, longest=300)}",
        ]
    )[:_LONGEST_MESSAGE]


def basket_closed_text(message: BasketClosed) -> str:
    """Say that a basket's episode is over and what it was at its best."""
    return (
        f"Over after {message.lifetime_ms} ms: basket {inert(message.basket_id)}, "
        f"best edge ${_plain(message.peak_edge_dollars)} on {_plain(message.peak_contracts)} contracts each "
        f"({inert(message.reason)}), episode {inert(message.opportunity_id)}"
    )


def closed_text(message: OpportunityClosed) -> str:
    """Say that an episode is over and what it was at its best."""
    lasted_ms = max(0, (message.closed_ts_ns - message.opened_ts_ns) // _NS_PER_MS)
    return (
        f"Over after {lasted_ms} ms: pair {inert(message.pair_id)}, best edge ${_plain(message.peak_edge_dollars)} on "
        f"{_plain(message.peak_contracts)} contracts ({inert(message.reason)}), episode {inert(message.opportunity_id)}"
    )


def operational_text(message: OperationalAlert) -> str:
    """Say what is wrong with the system."""
    head = f"{message.severity.upper()} {inert(message.code)}: {inert(message.title)}"
    return f"{head}\n{inert(message.detail, longest=1_000)}" if message.detail else head


def _leg_line(leg: LegEvidence, contracts: Decimal, *, of: str = "") -> str:
    outcome = f"{leg.outcome.upper()} of {of}" if of else leg.outcome.upper()
    return (
        f"buy {_plain(contracts)} {outcome} on {leg.venue.value.capitalize()} {inert(leg.market_id)} "
        f"at ${_plain(leg.limit_price_dollars)} or less (fees ${_plain(leg.fee_dollars)})"
    )


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character).startswith("C") else character
