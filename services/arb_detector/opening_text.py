"""Writing an opening and its intent as text, from scaled integers: what ``messages`` says, in a fraction of the time.

An edge is found a few times a second, by code that is in no cache then, and every object built between finding it and
saying so is time in which it can go. So what every message about a pair repeats is written once, when the pair's terms
are known; the books go on as the bytes they came as; and one text each holds the rest. Tests hold these texts against
``messages``: they decode to the same values, and the signature is that of the contract.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from services.arb_detector.episodes import Episode
from services.arb_detector.terms import fee_source
from services.arb_detector.trust import LegState
from shared.contracts.envelope import TextMessage
from shared.contracts.json_text import json_text, json_texts
from shared.domain.arbitrage import Limits, MarketTerms, sides
from shared.domain.depth_legs import Fill, Walk
from shared.domain.legs import Side, leg_of
from shared.domain.market import Venue
from shared.domain.numbers import money_text, price_text, scaled_text, size_text
from shared.domain.pair import Direction, Pair, PairId
from shared.domain.returns import DAY_DIGITS, RETURN_DIGITS

DEAREST_FEE_E4 = 5_000
"""Both venues' fees are greatest at half a dollar."""


class Opening(NamedTuple):
    """An opened episode as it will stand on the stream, with its intent, which is unsigned."""

    pair_id: PairId
    opportunity_id: str
    direction: Direction
    message: TextMessage
    intent: str
    """The intent's fields from ``intent_id`` to ``expires_ts_ns``, after a comma; empty when none follows."""
    contracts: str
    edge_dollars: str
    alert_only: str


class OpeningFacts(NamedTuple):
    """What an opening says besides its price, and for whom its intent is."""

    wire_ts_ns: int
    detected_ts_ns: int
    days_e2: int | None
    annualised_e6: int | None
    alert_only: str
    account: str
    intent_ttl_ms: int


class PairText:
    """What every message about one pair repeats, as JSON, and what its legs' fees can come to."""

    __slots__ = ("_about", "_kalshi", "_limits", "_names", "_pair", "_polymarket")

    def __init__(self, pair: Pair, terms: Mapping[Venue, MarketTerms], limits: Limits) -> None:
        self._pair = pair
        self._names = f'"pair_id":{json_text(pair.pair_id)},"pair_version":{json_text(pair.version)}'
        self._about = f'"orientation":"{pair.orientation.value}","title":{json_text(pair.title)}'
        self._limits = (
            f'"void_haircut_dollars_per_contract":"{limits.void_haircut_dollars_per_contract}"'
            f',"min_edge_dollars_per_contract":"{limits.min_edge_dollars_per_contract}"'
        )
        self._kalshi = _LegText(Venue.KALSHI, pair.kalshi_ticker, ("", ""), terms[Venue.KALSHI])
        self._polymarket = _LegText(
            Venue.POLYMARKET, pair.polymarket_id, pair.polymarket_token_ids, terms[Venue.POLYMARKET]
        )

    def opening(
        self,
        direction: Direction,
        walk: Walk,
        legs: tuple[LegState, LegState],
        episode: Episode,
        facts: OpeningFacts,
    ) -> Opening:
        """Write what opens at the exact best size ``walk``, Kalshi's leg first; and its intent unless alert-only."""
        contracts, edge_dollars = size_text(walk.size_e6), money_text(walk.edge_e10)
        of_kalshi, of_polymarket = sides(direction, self._pair.orientation)
        kalshi_fills, polymarket_fills = walk.fills
        ours = _Bought(self._kalshi, legs[0], of_kalshi, kalshi_fills)
        theirs = _Bought(self._polymarket, legs[1], of_polymarket, polymarket_fills)
        named = f'{self._names},"direction":"{direction.value}"'
        cost_e10, fee_e10 = ours.cost_e10 + theirs.cost_e10, ours.fee_e10 + theirs.fee_e10
        message = (
            f',"opportunity_id":"{episode.opportunity_id}",{named},{self._about}'
            f',"contracts":"{contracts}","cost_dollars":"{money_text(cost_e10)}","fee_dollars":"{money_text(fee_e10)}"'
            f',"payout_dollars":"{contracts}","edge_dollars":"{edge_dollars}"'
            f',"haircut_dollars":"{money_text(walk.haircut_e10)}","capital_dollars":"{money_text(cost_e10 + fee_e10)}"'
            f',"days_to_payout":{_number(facts.days_e2, DAY_DIGITS)}'
            f',"annualised_return":{_number(facts.annualised_e6, RETURN_DIGITS)},{self._limits}'
            f',"legs":[{ours.evidence()},{theirs.evidence()}],"wire_ts_ns":{facts.wire_ts_ns}'
            f',"detected_ts_ns":{facts.detected_ts_ns},"seen_ts_ns":{episode.seen_ts_ns}'
            f',"opened_ts_ns":{episode.opened_ts_ns},"peak_edge_dollars":"{edge_dollars}"'
            f',"peak_contracts":"{contracts}","capturable_dollars":null,"alert_only":{_NAMES[facts.alert_only]}}}'
        )
        intent = ""
        if not facts.alert_only:
            our_fee_e10, their_fee_e10 = ours.max_fee_e10(walk.size_e6), theirs.max_fee_e10(walk.size_e6)
            max_cost_e10 = walk.size_e6 * (ours.limit_e4 + theirs.limit_e4) + our_fee_e10 + their_fee_e10
            intent = (
                f',"intent_id":"{episode.opportunity_id}","opportunity_id":"{episode.opportunity_id}"'
                f',"account":{_NAMES[facts.account]},{named}'
                f',"legs":[{ours.intent(contracts, our_fee_e10)},{theirs.intent(contracts, their_fee_e10)}]'
                f',"max_cost_dollars":"{money_text(max_cost_e10)}","expected_edge_dollars":"{edge_dollars}"'
                f',"wire_ts_ns":{facts.wire_ts_ns},"created_ts_ns":{facts.detected_ts_ns}'
                f',"expires_ts_ns":{facts.detected_ts_ns + facts.intent_ttl_ms * 1_000_000}'
            )
        return Opening(
            self._pair.pair_id,
            episode.opportunity_id,
            direction,
            TextMessage("opportunity_opened", message),
            intent,
            contracts,
            edge_dollars,
            facts.alert_only,
        )


class _LegText:
    """What is said of one market each time."""

    __slots__ = ("fees", "heads", "terms")

    def __init__(self, venue: Venue, market_id: str, token_ids: tuple[str, str], terms: MarketTerms) -> None:
        head = f'{{"venue":"{venue.value}","market_id":{json_text(market_id)},"outcome":'
        self.heads: dict[Side, str] = {
            "yes": f'{head}"yes","token_id":{json_text(token_ids[0])}',
            "no": f'{head}"no","token_id":{json_text(token_ids[1])}',
        }
        """How evidence and intent of a leg begin, by the outcome that is bought."""
        self.fees = leg_of(terms).fees
        self.terms = _terms_text(terms)


class _Bought:
    """One leg as it is bought."""

    __slots__ = ("_fills", "_leg", "_limit", "_quote", "_side", "_text", "cost_e10", "fee_e10", "limit_e4")

    def __init__(self, text: _LegText, leg: LegState, side: Side, fills: Sequence[Fill]) -> None:
        assert leg.quote is not None
        self._text, self._leg, self._side, self._quote = text, leg, side, leg.quote
        cost_e10 = fee_e10 = 0
        fill_texts = []
        for price_e4, size_e6, fill_fee_e10 in fills:
            cost_e10 += price_e4 * size_e6
            fee_e10 += fill_fee_e10
            fill_texts.append(f'["{price_text(price_e4)}","{size_text(size_e6)}","{money_text(fill_fee_e10)}"]')
        self._fills = ",".join(fill_texts)
        self.cost_e10, self.fee_e10 = cost_e10, fee_e10
        self.limit_e4 = fills[-1].price_e4
        """The worst price paid."""
        self._limit = price_text(self.limit_e4)

    def evidence(self) -> str:
        """Return the leg's ``LegEvidence``."""
        leg, quote = self._leg, self._quote
        return (
            f'{self._text.heads[self._side]},"limit_price_dollars":"{self._limit}","fills":[{self._fills}]'
            f',"fee_dollars":"{money_text(self.fee_e10)}",{self._text.terms}'
            f',"yes_bids":{leg.bids_json.decode()},"yes_asks":{leg.asks_json.decode()}'
            f',"venue_ts_ms":{quote.venue_ts_ms},"received_ts_ns":{quote.received_ts_ns}'
            f',"published_ts_ns":{quote.published_ts_ns},"verified":{_NAMES[quote.verified]}'
            f',"connection":{_NAMES[quote.connection]},"epoch":{_NAMES[quote.epoch]}'
            f',"sequence":{quote.sequence},"checksum":{quote.checksum}}}'
        )

    def intent(self, contracts: str, max_fee_e10: int) -> str:
        """Return the leg's ``IntentLeg``."""
        quote = self._quote
        return (
            f'{self._text.heads[self._side]},"contracts":"{contracts}","limit_price_dollars":"{self._limit}"'
            f',"max_fee_dollars":"{money_text(max_fee_e10)}","quote_epoch":{_NAMES[quote.epoch]}'
            f',"quote_sequence":{quote.sequence},"quote_checksum":{quote.checksum}'
            f',"quote_received_ts_ns":{quote.received_ts_ns}}}'
        )

    def max_fee_e10(self, size_e6: int) -> int:
        """Return the most that filling ``size_e6`` at the limit or better can cost in fees.

        A better price may lie nearer to half a dollar, where fees are greatest; and every level rounds once.
        """
        ladders, fees = self._leg.ladders, self._text.fees
        assert ladders is not None
        levels = len(ladders.yes_asks if self._side == "yes" else ladders.yes_bids)
        return fees.fee_e10(min(self.limit_e4, DEAREST_FEE_E4), size_e6) + levels * fees.rounding_e10


_NAMES = json_texts()


@lru_cache(maxsize=4_096)
def _terms_text(terms: MarketTerms) -> str:
    """Return what a leg's evidence says of its terms; the markets of a series share them."""
    capital = "null" if terms.max_capital_dollars is None else f'"{terms.max_capital_dollars}"'
    return (
        f'"fee_source":{json_text(fee_source(terms))},"fees":{msgspec.json.encode(terms.fees).decode()}'
        f',"size_step_contracts":"{terms.size_step_contracts}","min_contracts":"{terms.min_contracts}"'
        f',"min_notional_dollars":"{terms.min_notional_dollars}","max_capital_dollars":{capital}'
    )


def _number(value: int | None, digits: int) -> str:
    return "null" if value is None else f'"{scaled_text(value, digits=digits)}"'
