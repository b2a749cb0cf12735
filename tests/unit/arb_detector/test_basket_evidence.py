"""A basket's message carries all that its price was made of: priced again offline, every figure is the same."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.cli.evidence import evaluation_file
from services.cli.main import app
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.domain.arbitrage import Ladders, Limits, MarketTerms
from shared.domain.basket_pricing import BasketMarket, best_every_no
from shared.domain.baskets import BasketKind, EventTerms
from shared.domain.evaluation import BasketReport, evaluate_file
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.market import Venue
from tests.unit.arb_detector.basket_scene import EVERY_NO, EVERY_YES, NAMES, BasketScene, basket, fees

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "contracts" / "basket_opportunities"


def told(message: BasketOpened | BasketUpdated) -> dict[str, Any]:
    """What the message says, in the terms of the command's answer."""
    return {
        "contracts": message.contracts,
        "cost": message.cost_dollars,
        "fee": message.fee_dollars,
        "payout": message.payout_dollars,
        "edge": message.edge_dollars,
        "return": message.annualised_return,
        "assumes": message.assumes,
        "legs": [(leg.market_id, leg.outcome, leg.limit_price_dollars, leg.fills) for leg in message.legs],
    }


def priced_again(message: BasketOpened | BasketUpdated) -> dict[str, Any]:
    """What pricing the message's own evidence gives."""
    report = evaluate_file(evaluation_file(msgspec.json.encode(message)))
    assert isinstance(report, BasketReport)
    return {
        "contracts": Decimal(report.contracts),
        "cost": Decimal(report.cost_dollars),
        "fee": Decimal(report.fee_dollars),
        "payout": Decimal(report.payout_dollars),
        "edge": Decimal(report.edge_dollars),
        "return": None if report.annualised_return is None else Decimal(report.annualised_return),
        "assumes": report.assumes,
        "legs": [
            (
                leg.market,
                leg.side,
                Decimal(leg.limit_price_dollars or ""),
                tuple((Decimal(price), Decimal(size), Decimal(fee)) for price, size, fee in leg.fills),
            )
            for leg in report.legs
        ],
    }


@given(
    kind=st.sampled_from([(Venue.KALSHI, EVERY_NO), (Venue.POLYMARKET, EVERY_NO), (Venue.POLYMARKET, EVERY_YES)]),
    prices=st.lists(st.lists(st.integers(3_000, 5_500), min_size=1, max_size=3, unique=True), min_size=3, max_size=3),
    sizes=st.lists(st.integers(1, 30_000), min_size=3, max_size=3),
    multiplier=st.sampled_from(["0", "0.5", "1"]),
    rate=st.sampled_from(["0", "0.04", "0.0725"]),
    capital=st.sampled_from(["0", "17.31", "250"]),
    asked=st.sampled_from(["0", "0.001", "0.0125"]),
    haircut=st.sampled_from(["0", "0.0042"]),
)
def test_every_basket_is_worth_the_same_when_it_is_priced_again(
    *,
    kind: tuple[Venue, BasketKind],
    prices: list[list[int]],
    sizes: list[int],
    multiplier: str,
    rate: str,
    capital: str,
    asked: str,
    haircut: str,
) -> None:
    venue = kind[0]
    is_no = kind[1] is EVERY_NO
    scene = BasketScene(
        the_basket=basket(*kind, void_risk="fair price"),
        debounce_ms=0,
        update_after_ms=0,
        material_percent=0,
        void_haircut_dollars_per_contract=Decimal(haircut),
        max_capital_dollars=Decimal(capital),
        min_edge_dollars_per_contract=Decimal(asked),
    )
    schedule = fees(venue)
    if isinstance(schedule, KalshiFees):
        schedule = msgspec.structs.replace(schedule, multiplier=Decimal(multiplier))
    elif isinstance(schedule, PolymarketFees):
        schedule = msgspec.structs.replace(schedule, rate=Decimal(rate))
    for name in NAMES:
        scene.list(name, fees=schedule)
    for _ in range(2):
        offers = []
        for name, found, size in zip(NAMES, prices, sizes, strict=True):
            levels = [
                (f"0.{price if is_no else price - 2_000:04}", f"{size / 100:.2f}")
                for price in sorted(found, reverse=is_no)
            ]
            offers.append(scene.quote(name, levels) if is_no else scene.quote(name, asks=levels))
        scene.take(*offers)
        scene.clock.advance(ms=10)
        scene.beat()
    for message in scene.said:
        if isinstance(message, BasketOpened | BasketUpdated):
            assert priced_again(message) == told(message)


@given(
    bids=st.lists(st.integers(1_500, 5_000), min_size=3, max_size=3),
    sizes=st.lists(st.integers(1, 20_000), min_size=3, max_size=3),
    asked=st.sampled_from(["0", "0.001", "0.05"]),
    least=st.sampled_from(["0.01", "1"]),
)
def test_a_basket_is_opened_exactly_when_its_best_price_earns_what_is_asked(
    *, bids: list[int], sizes: list[int], asked: str, least: str
) -> None:
    """The look at the best prices, which comes first, hides nothing and lets nothing through."""
    scene = BasketScene(
        debounce_ms=0,
        min_edge_dollars_per_contract=Decimal(asked),
        min_edge_dollars=Decimal(least),
        max_capital_dollars=Decimal(100),
    )
    scene.take(
        *(
            scene.bid(name, f"0.{price:04}", f"{size / 100:.2f}")
            for name, price, size in zip(NAMES, bids, sizes, strict=True)
        )
    )
    markets = [
        BasketMarket(
            market_id=name,
            terms=MarketTerms(
                fees=fees(Venue.KALSHI), size_step_contracts=Decimal("0.01"), min_contracts=Decimal("0.01")
            ),
            ladders=Ladders(yes_bids=[(price, size * 10_000)]),
        )
        for name, price, size in zip(NAMES, bids, sizes, strict=True)
    ]
    event = EventTerms(venue=Venue.KALSHI, market_ids=NAMES, mutually_exclusive=True)
    limits = Limits(min_edge_dollars_per_contract=Decimal(asked))
    best = best_every_no(event, markets, limits, max_capital_dollars=Decimal(100))
    told = [message for message in scene.said if isinstance(message, BasketOpened)]
    assert bool(told) == (best.contracts > 0 and best.edge_dollars >= Decimal(least))
    assert [(one.edge_dollars, one.contracts) for one in told] in ([], [(best.edge_dollars, best.contracts)])


def test_the_first_property_sees_openings_and_updates() -> None:
    scene = BasketScene(debounce_ms=0, update_after_ms=0, material_percent=0)
    for _ in range(2):
        scene.take(*scene.bids())
        scene.clock.advance(ms=10)
    assert [type(message) for message in scene.said] == [BasketOpened, BasketUpdated]


def test_the_command_prices_a_basket_from_the_stream(tmp_path: Path) -> None:
    opening = BasketScene().open()
    file = tmp_path / "basket.json"
    file.write_bytes(msgspec.json.encode(opening))
    result = CliRunner().invoke(app, ["evaluate", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert msgspec.json.decode(result.stdout)["edge_dollars"] == "5.275"


def test_the_example_of_the_contract_is_worth_what_it_says() -> None:
    message = msgspec.json.decode((GOLDEN / "basket_opened.v1.json").read_bytes(), type=BasketOpened)
    assert priced_again(message) == told(message)
