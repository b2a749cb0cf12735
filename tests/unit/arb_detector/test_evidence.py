"""An opportunity carries all that its price was made of: priced again offline, every figure is the same."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.cli.evidence import evaluation_file
from services.cli.main import app
from shared.contracts.opportunities import LegEvidence, OpportunityOpened, OpportunityUpdated
from shared.domain.evaluation import EvaluationRefused, evaluate_file
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.market import Venue
from shared.domain.pair import Orientation
from tests.unit.arb_detector.scene import Levels, Scene, market, pair

Figures = dict[str, object]
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "contracts" / "opportunities"


def texts(leg: LegEvidence) -> list[list[Decimal]]:
    return [list(fill) for fill in leg.fills]


def told(message: OpportunityOpened | OpportunityUpdated) -> Figures:
    """Return what the message says, in the terms of the command's answer."""
    kalshi, polymarket = message.legs
    return {
        "contracts": message.contracts,
        "cost_dollars": message.cost_dollars,
        "payout_dollars": message.payout_dollars,
        "edge_dollars": message.edge_dollars,
        "annualised_return": message.annualised_return,
        "fees": [kalshi.fee_dollars, polymarket.fee_dollars],
        "limits": [kalshi.limit_price_dollars, polymarket.limit_price_dollars],
        "fills": [texts(kalshi), texts(polymarket)],
    }


def priced_again(message: OpportunityOpened | OpportunityUpdated) -> Figures:
    """Return what pricing the message's own evidence gives for its direction."""
    report = evaluate_file(evaluation_file(msgspec.json.encode(message)))
    [found] = [found for found in report.directions if found.direction == message.direction]
    return {
        "contracts": Decimal(found.contracts),
        "cost_dollars": Decimal(found.cost_dollars),
        "payout_dollars": Decimal(found.payout_dollars),
        "edge_dollars": Decimal(found.edge_dollars),
        "annualised_return": None if found.annualised_return is None else Decimal(found.annualised_return),
        "fees": [Decimal(found.fee_dollars.kalshi or ""), Decimal(found.fee_dollars.polymarket or "")],
        "limits": [
            Decimal(found.limit_price_dollars.kalshi or ""),
            Decimal(found.limit_price_dollars.polymarket or ""),
        ],
        "fills": [
            [[Decimal(text) for text in fill] for fill in fills]
            for fills in (found.fills.kalshi, found.fills.polymarket)
        ],
    }


def levels(cents: list[int], sizes: list[int], *, is_bid: bool) -> Levels:
    ordered = sorted(set(cents), reverse=is_bid)
    return [(f"0.{price:04}", f"{size / 100:.2f}") for price, size in zip(ordered, sizes, strict=False)]


sizes = st.lists(st.integers(1, 20_000), min_size=4, max_size=4)


@given(
    asks=st.lists(st.integers(3_000, 4_500), min_size=1, max_size=4),
    bids=st.lists(st.integers(4_400, 6_000), min_size=1, max_size=4),
    ask_sizes=sizes,
    bid_sizes=sizes,
    orientation=st.sampled_from(Orientation),
    multiplier=st.sampled_from(["0", "0.5", "1", "1.25"]),
    precision=st.sampled_from(["0.0001", "0.01"]),
    rate=st.sampled_from(["0", "0.04", "0.0725"]),
    exponent=st.integers(1, 3),
    capital=st.sampled_from(["0", "17.31", "250"]),
    asked=st.sampled_from(["0", "0.001", "0.0125"]),
    days=st.sampled_from([0, 1, 37]),
    haircut=st.sampled_from(["0", "0.0042"]),
)
def test_every_opportunity_is_worth_the_same_when_it_is_priced_again(
    *,
    asks: list[int],
    bids: list[int],
    ask_sizes: list[int],
    bid_sizes: list[int],
    orientation: Orientation,
    multiplier: str,
    precision: str,
    rate: str,
    exponent: int,
    capital: str,
    asked: str,
    days: int,
    haircut: str,
) -> None:
    scene = Scene(
        the_pair=pair(orientation=orientation, void_risk="ties differ"),
        void_haircut_dollars_per_contract=Decimal(haircut),
        debounce_ms=0,
        update_after_ms=0,
        material_percent=0,
        max_capital_dollars=Decimal(capital),
        min_edge_dollars_per_contract=Decimal(asked),
    )
    scene_day = datetime.fromtimestamp(scene.clock.now_ms() // 1_000, UTC)
    listed = market(Venue.KALSHI), market(Venue.POLYMARKET)
    assert isinstance(listed[0].fees, KalshiFees)
    assert isinstance(listed[1].fees, PolymarketFees)
    fees = (
        msgspec.structs.replace(listed[0].fees, multiplier=Decimal(multiplier), precision_dollars=Decimal(precision)),
        msgspec.structs.replace(listed[1].fees, rate=Decimal(rate), exponent=exponent),
    )
    for of, schedule in zip(listed, fees, strict=True):
        expected = scene_day + timedelta(days=days) if days else None
        scene.detector.set_market(msgspec.structs.replace(of, fees=schedule, expected_expiration_time=expected))
    ours = levels(asks, ask_sizes, is_bid=False)
    theirs = levels(bids, bid_sizes, is_bid=True)
    other = {"bids": theirs} if orientation is Orientation.SAME else {"asks": mirrored(theirs)}
    for _ in range(2):
        scene.take(scene.quote(Venue.KALSHI, asks=ours), scene.quote(Venue.POLYMARKET, **other))
        scene.clock.advance(ms=10)
    for message in scene.said:
        if isinstance(message, OpportunityOpened | OpportunityUpdated):
            assert priced_again(message) == told(message)


def mirrored(of: Levels) -> Levels:
    return [(f"{1 - Decimal(price):f}", size) for price, size in of]


def test_the_property_above_sees_openings_and_updates() -> None:
    scene = Scene(debounce_ms=0, update_after_ms=0, material_percent=0)
    for _ in range(2):
        scene.offer()
        scene.clock.advance(ms=10)
    said = [message for message in scene.said if isinstance(message, OpportunityOpened | OpportunityUpdated)]
    assert [type(message) for message in said] == [OpportunityOpened, OpportunityUpdated]
    assert [priced_again(message) for message in said] == [told(message) for message in said]
    assert [message.min_edge_dollars_per_contract for message in said] == [Decimal("0.001"), Decimal("0.0005")]


def test_an_update_at_half_of_the_finest_edge_is_priced_again_too() -> None:
    scene = Scene(
        debounce_ms=0, update_after_ms=0, material_percent=0, min_edge_dollars_per_contract=Decimal("0.000001")
    )
    for _ in range(2):
        scene.offer()
        scene.clock.advance(ms=10)
    update = scene.said[-1]
    assert isinstance(update, OpportunityUpdated)
    assert update.min_edge_dollars_per_contract == Decimal("0.0000005")
    assert priced_again(update) == told(update)


@pytest.mark.parametrize("amount", ["1E+999999999", "1E-999999999", "NaN", "Infinity"])
def test_an_opportunity_with_an_amount_of_nothing_is_refused_before_it_is_written_out(amount: str) -> None:
    message = msgspec.json.decode(msgspec.json.encode(Scene().open()))
    for changed in (message | {"min_edge_dollars_per_contract": amount}, message | {"days_to_payout": amount}):
        with pytest.raises(EvaluationRefused, match="is no amount of anything"):
            evaluation_file(msgspec.json.encode(changed))


@pytest.mark.parametrize("field", [b"hou-por", b"yes_kalshi_no_polymarket", b"KXGAME-26NOV22HOUPOR-HOU", b"same"])
def test_an_opportunity_with_a_broken_byte_is_refused_in_one_line(field: bytes) -> None:
    for text in (field[:2] + b"\xb6" + field[3:], b"\xff", b"\\ud800", b"x" * 100_000 + b"\xff"):
        data = msgspec.json.encode(Scene().open()).replace(b'"' + field + b'"', b'"' + text + b'"')
        with pytest.raises(EvaluationRefused) as refused:
            evaluate_file(evaluation_file(data))
        assert len(str(refused.value)) < 300


def test_the_command_prices_an_opportunity_from_the_stream(tmp_path: Path) -> None:
    opening = Scene().open()
    file = tmp_path / "opportunity.json"
    file.write_bytes(msgspec.json.encode(opening))
    result = CliRunner().invoke(app, ["evaluate", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert msgspec.json.decode(result.stdout)["best"] == opening.direction
    assert f'"edge_dollars":"{opening.edge_dollars}"' in result.stdout


def test_an_opportunity_without_its_terms_is_refused_by_name() -> None:
    with pytest.raises(EvaluationRefused, match="fee terms of its kalshi leg"):
        evaluation_file((GOLDEN / "opportunity_opened.v1.first.json").read_bytes())
    with pytest.raises(EvaluationRefused, match="cannot be read"):
        evaluation_file(b'{"type":"opportunity_opened"}')


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"type":1}', b'{"orientation":"same"}'])
def test_what_is_no_opportunity_is_left_to_the_command(data: bytes) -> None:
    assert evaluation_file(data) == data


def test_stamps_tell_each_stage_in_order() -> None:
    scene = Scene()
    opening = scene.open()
    assert opening.wire_ts_ns < opening.seen_ts_ns < opening.detected_ts_ns == opening.opened_ts_ns
    for leg in opening.legs:
        assert leg.venue_ts_ms * 1_000_000 - 1_000_000 < leg.received_ts_ns < leg.published_ts_ns <= opening.seen_ts_ns
    assert opening.opened_ts_ns - opening.seen_ts_ns == 60_000_000


def test_capital_and_its_return_until_both_venues_have_paid_are_told() -> None:
    """Kalshi's game is known in ten days and Polymarket pays four hours later: 10.17 days on the capital."""
    scene = Scene()
    known = datetime.fromtimestamp(scene.clock.now_ms() // 1_000, UTC) + timedelta(days=10)
    for venue in Venue:
        scene.detector.set_market(market(venue, expected_expiration_time=known))
    found = scene.open()
    assert found.capital_dollars == found.cost_dollars + found.fee_dollars
    assert found.days_to_payout == Decimal("10.17")
    per_year = found.edge_dollars / found.capital_dollars * 365 / Decimal("10.17")
    assert found.annualised_return == per_year.quantize(Decimal("0.000001"), rounding=ROUND_FLOOR)


def test_what_earns_less_than_the_hurdle_in_a_year_is_alert_only() -> None:
    scene = Scene(hurdle_rate=Decimal("0.5"))
    known = datetime.fromtimestamp(scene.clock.now_ms() // 1_000, UTC) + timedelta(days=365)
    for venue in Venue:
        scene.detector.set_market(market(venue, expected_expiration_time=known))
    found = scene.open()
    assert found.alert_only == f"earns {found.annualised_return} a year on its capital, less than 0.5"


def test_a_pair_whose_void_rules_differ_is_worth_less_by_the_haircut() -> None:
    haircut = {"void_haircut_dollars_per_contract": Decimal("0.005"), "max_capital_dollars": Decimal(0)}
    plain = Scene(**haircut).open()
    risky = Scene(the_pair=pair(void_risk="a tie voids only one"), **haircut).open()
    assert (plain.haircut_dollars, plain.edge_dollars) == (Decimal(0), Decimal("3.3883"))
    assert risky.haircut_dollars == risky.contracts * Decimal("0.005")
    assert risky.edge_dollars == risky.payout_dollars - risky.cost_dollars - risky.fee_dollars - risky.haircut_dollars
