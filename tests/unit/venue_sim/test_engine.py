"""The engine keeps a book that is never crossed between operations and whose changes tell all that happened."""

from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim.engine import Effect, LevelChange, Side, SimBook, Trade

sides = st.sampled_from(["bid", "ask"])
prices_e4 = st.integers(1, 99).map(lambda cents: cents * 100)
sizes_e6 = st.integers(1, 50_000).map(lambda hundredths: hundredths * 10_000)
acts = st.lists(st.tuples(st.sampled_from(["place", "take", "cancel", "move"]), sides, prices_e4, prices_e4, sizes_e6))


def do(book: SimBook, act: tuple[str, Side, int, int, int]) -> Effect:
    name, side, price_e4, to_e4, size_e6 = act
    if name == "place":
        return book.place(side, price_e4, size_e6)
    if name == "take":
        return book.take(side, price_e4, size_e6)
    if name == "cancel":
        return book.cancel(side, price_e4, size_e6)
    return book.move(side, price_e4, to_e4)


@given(acts)
def test_the_book_is_never_crossed_or_locked_between_operations(done: list[tuple[str, Side, int, int, int]]) -> None:
    book = SimBook()
    for act in done:
        do(book, act)
        bid_e4, ask_e4 = book.best_bid_e4(), book.best_ask_e4()
        assert bid_e4 is None or ask_e4 is None or bid_e4 < ask_e4


@given(acts)
def test_replaying_the_changes_gives_the_book(done: list[tuple[str, Side, int, int, int]]) -> None:
    book = SimBook()
    replayed: dict[tuple[str, int], int] = {}
    for act in done:
        changes = do(book, act).changes
        assert len({(change.side, change.price_e4) for change in changes}) == len(changes)
        for change in changes:
            level = (change.side, change.price_e4)
            replayed[level] = replayed.get(level, 0) + change.delta_e6
            assert replayed[level] == change.size_after_e6 >= 0
    held = {("bid", price): size for price, size in book.bids()} | {("ask", price): size for price, size in book.asks()}
    assert {level: size for level, size in replayed.items() if size} == held


@given(acts)
def test_a_trade_consumes_the_best_makers_first(done: list[tuple[str, Side, int, int, int]]) -> None:
    book = SimBook()
    for act in done:
        before = {"bid": book.bids(), "ask": book.asks()}
        trade = do(book, act).trade
        if trade is not None:
            makers = before["ask" if trade.taker_side == "bid" else "bid"]
            assert [price for price, _ in trade.fills] == [price for price, _ in makers[: len(trade.fills)]]
            assert all(filled == held for (_, filled), (_, held) in zip(trade.fills[:-1], makers, strict=False))


def test_a_sweep_shows_its_rest_before_the_levels_it_consumed() -> None:
    book = SimBook()
    book.place("ask", 4_400, 10_000_000)
    book.place("ask", 4_500, 20_000_000)
    effect = book.place("bid", 4_500, 40_000_000)
    assert effect.changes == (
        LevelChange("bid", 4_500, 10_000_000, 10_000_000),
        LevelChange("ask", 4_400, -10_000_000, 0),
        LevelChange("ask", 4_500, -20_000_000, 0),
    )
    assert effect.trade == Trade("bid", ((4_400, 10_000_000), (4_500, 20_000_000)), 10_000_000)
    assert effect.trade.price_e4 == 4_500
    assert (book.bids(), book.asks()) == ([(4_500, 10_000_000)], [])


def test_a_move_that_would_trade_changes_nothing() -> None:
    book = SimBook()
    book.place("bid", 4_000, 1_000_000)
    book.place("ask", 4_100, 1_000_000)
    assert book.move("bid", 4_000, 4_100).changes == ()
    assert book.bids() == [(4_000, 1_000_000)]
