"""The page of traps is what the data says, and every test it names exists."""

import ast

import pytest

from services.venue_sim.world import World
from tests.unit.polymarket.traps import PAGE, RENEW, ROOT, TRAPS, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), f"{PAGE.name} is stale; renew it with: {RENEW}"


def test_all_sixteen_traps_are_there() -> None:
    assert len(TRAPS) == 16
    assert all(trap.tests for trap in TRAPS)


@pytest.mark.parametrize("name", sorted({test for trap in TRAPS for test in trap.tests}))
def test_the_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text())
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert function in found


def test_simulated_token_ids_are_long() -> None:
    world = World(seed=1, start_ms=1_795_284_000_000, question_count=8)
    tokens = [int(token) for market in world.polymarket_markets.values() for token in market.token_ids]
    assert all((token >> 40) % 2**64 for token in tokens)
