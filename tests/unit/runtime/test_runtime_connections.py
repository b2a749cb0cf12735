"""Markets stay on their connection, and new ones fill the gaps."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market import MarketId
from shared.runtime.connections import assigned

tickers = st.lists(st.sampled_from([MarketId(f"KX-{number}") for number in range(12)]), unique=True)


def ids(*names: str) -> list[MarketId]:
    return [MarketId(name) for name in names]


def test_markets_fill_one_connection_after_the_other() -> None:
    assert assigned(ids("A", "B", "C"), {}, per_connection=2) == {"A": 0, "B": 0, "C": 1}


def test_a_market_that_goes_leaves_room_and_moves_nobody() -> None:
    before = assigned(ids("A", "B", "C", "D", "E"), {}, per_connection=2)
    assert assigned(ids("B", "C", "D", "E", "F"), before, per_connection=2) == {
        "B": 0,
        "C": 1,
        "D": 1,
        "E": 2,
        "F": 0,
    }


@given(st.lists(tickers, min_size=1, max_size=6), st.integers(1, 5))
def test_however_the_wishes_change_nobody_moves_and_no_connection_is_overfull(
    wishes: list[list[MarketId]], per_connection: int
) -> None:
    carried: dict[MarketId, int] = {}
    for wanted in wishes:
        after = assigned(wanted, carried, per_connection=per_connection)
        assert set(after) == set(wanted)
        assert all(after[market_id] == carried[market_id] for market_id in carried.keys() & after.keys())
        assert all(list(after.values()).count(number) <= per_connection for number in after.values())
        carried = after


names = st.text(alphabet="abcdef", min_size=1, max_size=3).map(MarketId)


@given(st.sets(names), st.dictionaries(names, st.integers(0, 3)), st.integers(1, 4))
def test_everything_wanted_is_carried_where_it_was_and_no_connection_gets_new_ones_beyond_its_limit(
    wanted: set[MarketId], carried: dict[MarketId, int], limit: int
) -> None:
    where = assigned(wanted, carried, per_connection=limit)
    assert where.keys() == wanted
    assert all(where[one] == carried[one] for one in wanted & carried.keys())
    for number in set(where.values()):
        stayed = sum(1 for one in wanted & carried.keys() if carried[one] == number)
        assert sum(1 for carrier in where.values() if carrier == number) <= max(limit, stayed)
