"""An intent is acted on only when every part of it is what the detector signed."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.intents import HedgedIntent, IntentLeg, is_authentic, key_id_of, signed
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, PairId

KEY = b"0123456789abcdef0123456789abcdef"
KEY_ID = key_id_of(KEY)
STAMPS = ("src", "epoch", "pseq")

money = st.decimals(0, 1_000, places=4, allow_nan=False)
names = st.text(st.characters(codec="utf-8"), max_size=20)
legs = st.builds(
    IntentLeg,
    venue=st.sampled_from(Venue),
    market_id=names.map(MarketId),
    outcome=st.sampled_from(["yes", "no"]),
    token_id=names,
    contracts=money,
    limit_price_dollars=money,
    max_fee_dollars=money,
    quote_epoch=names,
    quote_sequence=st.integers(0, 2**62),
    quote_checksum=st.integers(0, 2**32 - 1),
    quote_received_ts_ns=st.integers(0, 2**62),
)
intents = st.builds(
    HedgedIntent,
    intent_id=names,
    opportunity_id=names,
    account=names,
    pair_id=names.map(PairId),
    pair_version=names,
    direction=st.sampled_from(Direction),
    legs=st.tuples(legs, legs),
    max_cost_dollars=money,
    expected_edge_dollars=money,
    wire_ts_ns=st.integers(0, 2**62),
    created_ts_ns=st.integers(0, 2**62),
    expires_ts_ns=st.integers(0, 2**62),
)


def other(value: Any) -> Any:
    """Return a value of the same type that is not the same."""
    match value:
        case Venue() | Direction():
            return next(one for one in type(value) if one is not value)
        case str():
            return {"yes": "no", "no": "yes"}.get(value, value + "x")
        case Decimal():
            return value + Decimal("0.0001")
        case int():
            return value + 1
    raise AssertionError(f"no other value for {value!r}")


def sent(intent: HedgedIntent) -> HedgedIntent:
    """Return the intent as a reader gets it."""
    return msgspec.json.decode(msgspec.json.encode(intent), type=HedgedIntent)


@given(intents, st.binary(min_size=1, max_size=64))
def test_what_was_signed_is_authentic_also_after_the_wire(intent: HedgedIntent, key: bytes) -> None:
    assert is_authentic(sent(signed(intent, key_id="k1", key=key)), key_id="k1", key=key)


@given(intents, st.binary(max_size=64))
def test_another_key_did_not_sign_it(intent: HedgedIntent, key: bytes) -> None:
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    assert is_authentic(stamped, key_id=KEY_ID, key=key) == (key.rstrip(b"\0") == KEY)


@given(intents)
def test_a_wrong_key_name_is_refused_although_the_key_is_right(intent: HedgedIntent) -> None:
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    assert not is_authentic(stamped, key_id="another", key=KEY)
    renamed = msgspec.structs.replace(stamped, key_id="another")
    assert not is_authentic(renamed, key_id="another", key=KEY)


@pytest.mark.parametrize(
    "field", [name for name in HedgedIntent.__struct_fields__ if name not in (*STAMPS, "legs", "key_id")]
)
@given(intent=intents)
def test_a_change_of_any_field_shows(field: str, intent: HedgedIntent) -> None:
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    changed = msgspec.structs.replace(stamped, **{field: other(getattr(stamped, field))})
    assert not is_authentic(changed, key_id=KEY_ID, key=KEY)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("field", IntentLeg.__struct_fields__)
@given(intent=intents)
def test_a_change_of_any_field_of_a_leg_shows(field: str, which: int, intent: HedgedIntent) -> None:
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    changed = list(stamped.legs)
    changed[which] = msgspec.structs.replace(changed[which], **{field: other(getattr(changed[which], field))})
    assert not is_authentic(msgspec.structs.replace(stamped, legs=tuple(changed)), key_id=KEY_ID, key=KEY)


@given(intents)
def test_legs_that_changed_places_show(intent: HedgedIntent) -> None:
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    swapped = msgspec.structs.replace(stamped, legs=(stamped.legs[1], stamped.legs[0]))
    assert is_authentic(swapped, key_id=KEY_ID, key=KEY) == (stamped.legs[0] == stamped.legs[1])


@given(intents, names, names, st.integers(0, 2**62))
def test_the_place_on_the_stream_is_not_signed(intent: HedgedIntent, src: str, epoch: str, pseq: int) -> None:
    """The writer's outbox stamps a message after it was signed."""
    stamped = signed(intent, key_id=KEY_ID, key=KEY)
    assert is_authentic(msgspec.structs.replace(stamped, src=src, epoch=epoch, pseq=pseq), key_id=KEY_ID, key=KEY)


@given(intents)
def test_signing_again_changes_nothing(intent: HedgedIntent) -> None:
    once = signed(intent, key_id=KEY_ID, key=KEY)
    assert signed(once, key_id=KEY_ID, key=KEY) == once


@pytest.mark.parametrize("signature", ["", "0" * 64, "not hexadecimal", "é"])
def test_a_made_up_signature_is_refused(signature: str) -> None:
    intent = signed(_plain(), key_id=KEY_ID, key=KEY)
    assert not is_authentic(msgspec.structs.replace(intent, signature=signature), key_id=KEY_ID, key=KEY)


def test_a_key_is_named_by_the_start_of_its_digest() -> None:
    assert sha256(KEY).hexdigest()[:8] == KEY_ID
    assert len(KEY_ID) == 8


def test_an_intent_signed_over_another_number_of_zeros_is_another_intent() -> None:
    """``1.0`` and ``1.00`` are one number and two texts: what was signed is the text."""
    intent = signed(msgspec.structs.replace(_plain(), max_cost_dollars=Decimal("1.0")), key_id=KEY_ID, key=KEY)
    assert not is_authentic(msgspec.structs.replace(intent, max_cost_dollars=Decimal("1.00")), key_id=KEY_ID, key=KEY)


def _plain() -> HedgedIntent:
    leg = IntentLeg(
        venue=Venue.KALSHI,
        market_id=MarketId("T"),
        outcome="yes",
        contracts=Decimal(1),
        limit_price_dollars=Decimal("0.5"),
        max_fee_dollars=Decimal("0.01"),
        quote_epoch="e",
        quote_sequence=1,
        quote_checksum=1,
        quote_received_ts_ns=1,
    )
    return HedgedIntent(
        intent_id="i",
        opportunity_id="o",
        account="main",
        pair_id=PairId("p"),
        pair_version="v",
        direction=Direction.YES_KALSHI_NO_POLYMARKET,
        legs=(leg, leg),
        max_cost_dollars=Decimal(1),
        expected_edge_dollars=Decimal(1),
        wire_ts_ns=1,
        created_ts_ns=1,
        expires_ts_ns=1,
    )
