"""Derived CLOB objects and Gamma's paging, without a server."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim import polymarket_clob as clob
from services.venue_sim.polymarket_catalog import Json, keyset_page, offset_page

YES, NO = "7" * 70, "8" * 70


def gamma_market(**changes: object) -> Json:
    made: Json = {
        "id": "900001",
        "conditionId": "0x" + "ab" * 32,
        "question": "Will it rain?",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.43", "0.57"]',
        "clobTokenIds": json.dumps([YES, NO]),
        "orderMinSize": 5,
        "orderPriceMinTickSize": Decimal("0.01"),
        "acceptingOrders": True,
        "negRisk": False,
        "feesEnabled": True,
        "feeSchedule": {"exponent": 1, "rate": Decimal("0.05"), "takerOnly": True, "rebateRate": Decimal("0.25")},
    }
    return made | changes


def test_the_trading_parameters_come_in_short_keys_and_leave_out_what_does_not_apply() -> None:
    body = clob.short_keys(gamma_market())
    assert body["t"] == [{"t": YES, "o": "Yes"}, {"t": NO, "o": "No"}]
    assert (body["mos"], body["mts"], body["mbf"], body["tbf"]) == (5, Decimal("0.01"), 1000, 1000)
    assert body["fd"] == {"r": Decimal("0.05"), "e": 1, "to": True}
    assert not {"nr", "itode"} & body.keys()
    other = clob.short_keys(gamma_market(negRisk=True, feesEnabled=False, secondsDelay=3))
    assert (other["nr"], other["itode"]) == (True, True)
    assert "fd" not in other


@pytest.mark.parametrize("tokens", [None, "", "[]"])
def test_a_market_that_is_being_set_up_has_no_tokens(tokens: str | None) -> None:
    assert clob.token_ids(gamma_market(clobTokenIds=tokens)) == []


def test_a_closed_market_names_its_winner_and_a_tie_names_none() -> None:
    won = clob.long_keys(gamma_market(closed=True, outcomePrices='["1", "0"]'))
    assert [token["winner"] for token in won["tokens"]] == [True, False]
    tied = clob.long_keys(gamma_market(closed=True, outcomePrices='["0.5", "0.5"]'))
    assert [token["winner"] for token in tied["tokens"]] == [False, False]
    assert (won["is_50_50_outcome"], tied["is_50_50_outcome"]) == (False, True)


def test_midpoint_spread_and_price_are_taken_by_value_and_need_both_sides() -> None:
    book = {
        "bids": [{"price": "0.4", "size": "1"}, {"price": "0.42", "size": "1"}],
        "asks": [{"price": "0.6", "size": "1"}, {"price": "0.4201", "size": "1"}],
    }
    assert (clob.midpoint(book), clob.spread(book)) == ("0.42005", "0.0001")
    assert [clob.quoted_price(book, side) for side in ("BUY", "sell")] == ["0.42", "0.4201"]
    one_sided = {**book, "asks": []}
    assert (clob.midpoint(one_sided), clob.spread(one_sided), clob.quoted_price(one_sided, "SELL")) == (None,) * 3


def test_the_clobs_list_cursor_is_an_offset_in_base64() -> None:
    assert (clob.cursor_of_offset(0), clob.cursor_of_offset(1000)) == ("MA==", "MTAwMA==")
    assert [clob.offset_of_cursor(text) for text in ("", "MA==", "MTAwMA==", "LTE=", "!")] == [0, 0, 1000, None, None]


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 7))
def test_keyset_pages_bring_every_kept_object_once_in_order(kept: list[bool], limit: int) -> None:
    objects: dict[str, Json] = {str(n): {"id": str(n), "keep": keep} for n, keep in enumerate(kept)}
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = keyset_page(list(objects), objects.get, lambda one: bool(one["keep"]), limit=limit, after=cursor)
        assert len(page.objects) == limit or page.next_cursor is None
        found += [one["id"] for one in page.objects]
        cursor = page.next_cursor
    assert found == [key for key, one in objects.items() if one["keep"]]


@pytest.mark.parametrize("cursor", ["x", "!!!", "eyJpZCI6Ijk5In0", "e30"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="invalid cursor"):
        keyset_page(["1"], lambda _: {"id": "1"}, bool, limit=1, after=cursor)


def test_offset_pages_count_kept_objects() -> None:
    objects: dict[str, Json] = {str(n): {"id": n} for n in range(10)}
    page = offset_page(objects, objects.get, lambda one: one["id"] % 2 == 0, limit=2, offset=1)
    assert [one["id"] for one in page] == [2, 4]
