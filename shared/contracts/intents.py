"""Signed orders-to-be: two legs that together lock a profit, good for a moment.

An intent is authentic when its HMAC-SHA256 over its canonical bytes agrees; the stream position (``src``, ``epoch``,
``pseq``) is not part of it. Unknown fields are refused, unlike everywhere else.
"""

import hmac
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import msgspec

from shared.contracts.envelope import Message, TextMessage
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, PairId

_TAG = "hedged_intent"


class IntentLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order to be: buy ``contracts`` of an outcome at ``limit_price_dollars`` or better."""

    venue: Venue
    market_id: MarketId
    outcome: Literal["yes", "no"]
    token_id: str = ""
    contracts: Decimal
    limit_price_dollars: Decimal
    """For the outcome that is bought."""
    max_fee_dollars: Decimal
    quote_epoch: str
    quote_sequence: int
    quote_checksum: int
    quote_received_ts_ns: int


class HedgedIntent(Message, frozen=True, kw_only=True, tag=_TAG, forbid_unknown_fields=True):
    """Both legs of one episode. At most one intent per episode."""

    intent_id: str
    opportunity_id: str
    account: str
    pair_id: PairId
    pair_version: str
    direction: Direction
    legs: tuple[IntentLeg, IntentLeg]
    """Kalshi first; equal contracts."""
    max_cost_dollars: Decimal
    """Both legs at their limits, with fees."""
    expected_edge_dollars: Decimal
    wire_ts_ns: int
    """Our clock when the frame that led to the intent was read from its socket."""
    created_ts_ns: int
    expires_ts_ns: int
    """Our clock; nothing is sent after it."""
    key_id: str = ""
    signature: str = ""
    """Hex HMAC-SHA256."""


_ENCODER = msgspec.json.Encoder(order="deterministic")


def key_id_of(key: bytes) -> str:
    """Return the name of a signing key: the first eight hex digits of its SHA-256."""
    return sha256(key).hexdigest()[:8]


def signed(intent: HedgedIntent, *, key_id: str, key: bytes) -> HedgedIntent:
    """Return the intent with its signature."""
    named = msgspec.structs.replace(intent, key_id=key_id)
    return msgspec.structs.replace(named, signature=_signature(named, key))


def signed_text(body: str, *, key_id: str, key: bytes) -> TextMessage:
    """Return an intent that was written as text, with its signature.

    ``body`` are its fields from ``intent_id`` to ``expires_ts_ns``, after a comma, as msgspec writes them: the
    signature is over the bytes that it would write.
    """
    named = f'{body},"key_id":"{key_id}"'
    bare = f'{{"type":"{_TAG}","v":1,"src":"","epoch":"","pseq":0{named},"signature":""}}'
    signature = _digest(key, bare.encode())
    return TextMessage(_TAG, f'{named},"signature":"{signature}"}}')


def is_authentic(intent: HedgedIntent, *, key_id: str, key: bytes) -> bool:
    """Return whether the intent was signed with this key and not changed since."""
    # As bytes: compare_digest raises for text that is not ASCII, and a forger chooses the text.
    return intent.key_id == key_id and hmac.compare_digest(intent.signature.encode(), _signature(intent, key).encode())


def _signature(intent: HedgedIntent, key: bytes) -> str:
    bare = msgspec.structs.replace(intent, signature="", src="", epoch="", pseq=0)
    return _digest(key, _ENCODER.encode(bare))


def _digest(key: bytes, data: bytes) -> str:
    of_key = _keyed(key).copy()
    of_key.update(data)
    return of_key.hexdigest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return the beginning of every signature with this key; to make it anew takes as long as the rest."""
    return hmac.new(key, digestmod="sha256")
