"""An opening and its intent are written as text: they say what the contracts' own types say of the same walk."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.arb_detector import messages
from services.arb_detector.legs import QuoteInPart
from services.arb_detector.opening_text import Opening
from shared.contracts.intents import HedgedIntent, IntentLeg, is_authentic, key_id_of, signed_text
from shared.contracts.opportunities import LegEvidence, OpportunityOpened
from shared.contracts.quotes import levels_checksum, raw_checksum, raw_levels
from shared.contracts.streams import intents
from shared.domain.arbitrage import result_of
from shared.domain.fee_tables import taker_fees
from shared.domain.market import Venue
from shared.domain.numbers import money_dollars
from shared.domain.pair import Orientation
from tests.unit.arb_detector.scene import KEY, Heard, Levels, Scene, market, opened, pair, raw

AWKWARD = st.text(max_size=12)
"""Quotes, backslashes, control characters, other scripts: whatever JSON has to escape."""


def levels(cents: list[int], sizes: list[int], *, is_bid: bool) -> Levels:
    ordered = sorted(set(cents), reverse=is_bid)
    return [(f"0.{price:04}", f"{size / 100:.2f}") for price, size in zip(ordered, sizes, strict=False)]


def by_the_contract(scene: Scene, found: OpportunityOpened) -> OpportunityOpened:
    """Return the opening as ``messages`` tells it, from the same legs priced by the same walk."""
    state = scene.detector.pairs[scene.pair.pair_id]
    pricing, kalshi, polymarket = state.opening, state.kalshi.ladders, state.polymarket.ladders
    episode = state.watches[found.direction].episode
    assert pricing is not None
    assert kalshi is not None
    assert polymarket is not None
    assert episode is not None
    walk = pricing.walk(found.direction, kalshi, polymarket)
    result = result_of(walk, found.direction, scene.pair.orientation, days_to_payout=found.days_to_payout)
    told = messages.updated(
        state,
        result,
        episode,
        wire_ts_ns=found.wire_ts_ns,
        detected_ts_ns=found.detected_ts_ns,
        alert_only=found.alert_only,
        days_to_payout=found.days_to_payout,
        limits=pricing.limits,
    )
    fields = {name: getattr(told, name) for name in OpportunityOpened.__struct_fields__}
    return OpportunityOpened(**fields | {"src": found.src, "epoch": found.epoch, "pseq": found.pseq})


def intent_of(scene: Scene, found: OpportunityOpened, *, ttl_ms: int) -> HedgedIntent:
    """Return the intent that follows from an opening, worked out from its evidence in ``Decimal``."""
    kalshi, polymarket = (_intent_leg(scene, evidence, found.contracts) for evidence in found.legs)
    legs = (kalshi, polymarket)
    return HedgedIntent(
        src="arb_detector",
        epoch="epoch",
        pseq=1,
        intent_id=found.opportunity_id,
        opportunity_id=found.opportunity_id,
        account="main",
        pair_id=found.pair_id,
        pair_version=found.pair_version,
        direction=found.direction,
        legs=legs,
        max_cost_dollars=sum(
            (leg.contracts * leg.limit_price_dollars + leg.max_fee_dollars for leg in legs), Decimal(0)
        ),
        expected_edge_dollars=found.edge_dollars,
        wire_ts_ns=found.wire_ts_ns,
        created_ts_ns=found.detected_ts_ns,
        expires_ts_ns=found.detected_ts_ns + ttl_ms * 1_000_000,
    )


def _intent_leg(scene: Scene, evidence: LegEvidence, contracts: Decimal) -> IntentLeg:
    fees = taker_fees(scene.detector.pairs[scene.pair.pair_id].terms[evidence.venue].fees)
    dearest_e4 = min(int(evidence.limit_price_dollars * 10_000), 5_000)
    bought_from = evidence.yes_asks if evidence.outcome == "yes" else evidence.yes_bids
    fee_e10 = fees.fee_e10(dearest_e4, int(contracts * 1_000_000)) + len(bought_from) * fees.rounding_e10
    return IntentLeg(
        venue=evidence.venue,
        market_id=evidence.market_id,
        outcome=evidence.outcome,
        token_id=evidence.token_id,
        contracts=contracts,
        limit_price_dollars=evidence.limit_price_dollars,
        max_fee_dollars=money_dollars(fee_e10),
        quote_epoch=evidence.epoch,
        quote_sequence=evidence.sequence,
        quote_checksum=evidence.checksum,
        quote_received_ts_ns=evidence.received_ts_ns,
    )


sizes = st.lists(st.integers(1, 20_000), min_size=4, max_size=4)


@given(
    asks=st.lists(st.integers(3_000, 4_500), min_size=1, max_size=4),
    bids=st.lists(st.integers(4_400, 6_000), min_size=1, max_size=4),
    ask_sizes=sizes,
    bid_sizes=sizes,
    orientation=st.sampled_from(Orientation),
    capital=st.sampled_from(["0", "17.31", "250"]),
    asked=st.sampled_from(["0", "0.001", "0.0125"]),
    days=st.sampled_from([0, 1, 37]),
    haircut=st.sampled_from(["0", "0.0042"]),
    alert_only=st.sampled_from(["", 'rules "differ"']),
    name=AWKWARD,
)
def test_the_text_of_an_opening_and_its_intent_says_what_the_contracts_say(
    *,
    asks: list[int],
    bids: list[int],
    ask_sizes: list[int],
    bid_sizes: list[int],
    orientation: Orientation,
    capital: str,
    asked: str,
    days: int,
    haircut: str,
    alert_only: str,
    name: str,
) -> None:
    scene = Scene(
        the_pair=pair(orientation=orientation, void_risk="ties differ", alert_only=alert_only, title=name),
        void_haircut_dollars_per_contract=Decimal(haircut),
        debounce_ms=0,
        max_capital_dollars=Decimal(capital),
        min_edge_dollars_per_contract=Decimal(asked),
    )
    if days:
        known = datetime.fromtimestamp(scene.clock.now_ms() // 1_000, UTC) + timedelta(days=days)
        scene.detector.set_market(market(Venue.KALSHI, expected_expiration_time=known))
    theirs = levels(bids, bid_sizes, is_bid=True)
    other = {"bids": theirs} if orientation is Orientation.SAME else {"asks": mirrored(theirs)}
    ours = scene.quote(Venue.KALSHI, asks=levels(asks, ask_sizes, is_bid=False))
    said = scene.take(ours, scene.quote(Venue.POLYMARKET, **other))
    for found in said:
        if isinstance(found, OpportunityOpened):
            assert found == by_the_contract(scene, found)
            orders = [one for one in said if isinstance(one, HedgedIntent)]
            unsigned = [msgspec.structs.replace(order, key_id="", signature="") for order in orders]
            assert unsigned == ([] if found.alert_only else [intent_of(scene, found, ttl_ms=2_000)])
            assert all(is_authentic(order, key_id=key_id_of(KEY), key=KEY) for order in orders)


def mirrored(of: Levels) -> Levels:
    return [(f"{1 - Decimal(price):f}", size) for price, size in of]


def test_the_property_above_sees_openings_with_and_without_intents() -> None:
    for alert_only, count in (("", 2), ("rules differ", 1)):
        scene = Scene(the_pair=pair(alert_only=alert_only), debounce_ms=0)
        assert len(scene.offer()) == count


def test_awkward_names_of_connections_and_epochs_are_escaped() -> None:
    scene = Scene(debounce_ms=0)
    odd = 'a"\\\n'
    scene.beat(Venue.KALSHI, connection=odd, epoch=odd)
    said = scene.take(scene.kalshi(connection=odd, epoch=odd), scene.polymarket())
    assert (opened(said).legs[0].connection, opened(said).legs[0].epoch) == (odd, odd)


def test_an_intent_written_as_text_is_authentic_and_stops_being_so_when_it_is_changed() -> None:
    scene = Scene(debounce_ms=0)
    [opening] = [one for one in scene.detector.take_quotes(offer(scene)) if isinstance(one, Opening)]
    written = signed_text(opening.intent, key_id=key_id_of(KEY), key=KEY).stamped('"arb_detector"', '"e"', 7)
    order = intents("main").decoder.decode(written)
    assert order.pseq == 7
    assert is_authentic(order, key_id=key_id_of(KEY), key=KEY)
    dearer = msgspec.structs.replace(order, max_cost_dollars=order.max_cost_dollars + 1)
    assert not is_authentic(dearer, key_id=key_id_of(KEY), key=KEY)


def offer(scene: Scene) -> list[QuoteInPart]:
    return [(scene.pair.partition, raw(scene.kalshi())), (scene.pair.partition, raw(scene.polymarket()))]


prices = st.lists(
    st.tuples(st.from_regex(r"0\.[0-9]{1,4}", fullmatch=True), st.integers(1, 10**6).map(str)), max_size=10
)


@given(bids=prices, asks=prices)
def test_a_raw_side_has_the_levels_and_the_checksum_of_its_text(
    bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]
) -> None:
    sides = [msgspec.json.encode(side) for side in (bids, asks)]
    assert raw_checksum(*sides) == levels_checksum(bids, asks)
    for side, text in zip(sides, (bids, asks), strict=True):
        assert [tuple(level.decode().split('","')) for level in raw_levels(side)] == list(text)


def test_sides_that_are_no_lists_of_levels_do_not_count() -> None:
    for side in (b"null", b"{}", b'["0.41","5"]', b'[["0.41"]]', b'[["0.41","5","6"]]', b'[ ["0.41","5"] ]', b"[[]]"):
        scene = Scene()
        odd = msgspec.structs.replace(raw(scene.kalshi()), yes_asks=msgspec.Raw(side))
        scene.detector.take_quotes([(scene.pair.partition, odd), (scene.pair.partition, raw(scene.polymarket()))])
        assert scene.outcome == "quote is malformed", side
        assert not Heard(scene.detector.tick())
