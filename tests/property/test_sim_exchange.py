"""The simulated Kalshi's matching against a list of single orders, and its books against the money that moved."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_account import Account
from services.venue_sim.kalshi_exchange import KalshiExchange
from services.venue_sim.kalshi_money import DOLLAR_E10
from services.venue_sim.kalshi_order import OrderRequest
from services.venue_sim.world import World

ONE_E6 = 1_000_000
START_MS = 1_795_284_000_000

sides = st.sampled_from(("bid", "ask"))
acts = st.lists(
    st.tuples(
        st.sampled_from(("mine", "mine_ioc", "theirs", "theirs_take")),
        sides,
        st.integers(49, 51),
        st.integers(1, 20),
        st.sampled_from(("taker_at_cross", "maker")),
    ),
    min_size=10,
    max_size=25,
)


@dataclass(eq=False)
class Single:
    """One order of the reference: whose, where, how much is left and filled."""

    mine: bool
    side: Side
    cents: int
    left: int
    filled: int = 0


class Reference:
    """Price-time priority the plain way: one list, walked from the best and oldest."""

    def __init__(self) -> None:
        self.book: list[Single] = []

    def act(self, order: Single, *, rests: bool, self_trade: str) -> None:
        sign = 1 if order.side == "bid" else -1
        for maker in sorted((o for o in self.book if o.side != order.side), key=lambda o: sign * o.cents):
            if not order.left or sign * maker.cents > sign * order.cents:
                break
            if order.mine and maker.mine:
                if self_trade == "taker_at_cross":
                    rests = False
                    break
                self.book.remove(maker)
                continue
            size = min(order.left, maker.left)
            for one in (order, maker):
                one.left -= size
                one.filled += size
        self.book = [one for one in self.book if one.left]
        if rests and order.left:
            self.book.append(order)

    def levels(self, side: Side) -> dict[int, int]:
        found: dict[int, int] = {}
        for order in self.book:
            if order.side == side:
                found[order.cents * 100] = found.get(order.cents * 100, 0) + order.left * ONE_E6
        return found


def empty_exchange() -> tuple[World, KalshiExchange, str]:
    world = World(seed=1, start_ms=START_MS, question_count=2)
    ticker, market = next(iter(world.kalshi_markets.items()))
    market.book.clear()
    account = Account(user_id="u", cash_e10={0: 1_000_000 * DOLLAR_E10})
    return world, KalshiExchange(world, account, lambda: START_MS), ticker


@settings(max_examples=150, deadline=None)
@given(acts)
def test_fills_and_levels_are_those_of_single_orders_in_price_time_order(
    steps: list[tuple[str, Side, int, int, str]],
) -> None:
    world, exchange, ticker = empty_exchange()
    market, reference = world.kalshi_markets[ticker], Reference()
    mine: list[tuple[str, Single]] = []
    for kind, side, cents, size, self_trade in steps:
        single = Single(kind.startswith("mine"), side, cents, size)
        rests = kind in ("mine", "theirs")
        if single.mine:
            request = OrderRequest(
                ticker=ticker,
                side=side,
                size_e6=size * ONE_E6,
                price_e4=cents * 100,
                time_in_force="good_till_canceled" if rests else "immediate_or_cancel",
                self_trade="maker" if self_trade == "maker" else "taker_at_cross",
            )
            mine.append((exchange.create(request).order_id, single))
        else:
            world.inject(market, side, cents * 100, size * ONE_E6, now_ms=START_MS, rests=rests)
        reference.act(single, rests=rests, self_trade=self_trade)
        assert dict(market.book.bids()) == reference.levels("bid")
        assert dict(market.book.asks()) == reference.levels("ask")
        assert [exchange.orders[order_id].filled_e6 for order_id, _ in mine] == [o.filled * ONE_E6 for _, o in mine]


fills = st.lists(
    st.tuples(sides, st.integers(1, 9_999), st.integers(1, 2_000), st.integers(0, 500)), min_size=3, max_size=20
)


@given(fills, st.booleans())
def test_after_settlement_the_cash_is_what_every_single_fill_paid(
    steps: list[tuple[Side, int, int, int]], yes_wins: bool
) -> None:
    world, exchange, ticker = empty_exchange()
    account, market = exchange.account, world.kalshi_markets[ticker]
    before_e10 = account.cash_e10[0]
    paid_e10 = 0
    for side, price_e4, hundredths, fee_e10 in steps:
        size_e6 = hundredths * 10_000
        account.fill(market, side, price_e4=price_e4, size_e6=size_e6, fee_e10=fee_e10, at_ms=START_MS)
        worth_e4 = 10_000 if yes_wins else 0
        paid_e10 += (worth_e4 - price_e4 if side == "bid" else price_e4 - worth_e4) * size_e6 - fee_e10
    position = account.position(market)
    assert position.cost_e10 >= 0
    pays_e6 = max(0, position.size_e6) if yes_wins else max(0, -position.size_e6)
    account.settle(market, pays_e6 * 10_000, START_MS)
    assert account.cash_e10[0] - before_e10 == paid_e10
    assert Fraction(position.realized_e10 - position.fees_e10) == paid_e10
