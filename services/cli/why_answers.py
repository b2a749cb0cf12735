"""Why a pair or a basket is not alerting: the answer, from what the bus holds about it."""

from typing import TypeVar

import msgspec

from shared.contracts.baskets import BasketActivated, BasketStanding, BasketSuspended
from shared.contracts.envelope import Message
from shared.contracts.funnel import PairStanding
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.contracts.streams import BASKET_FUNNEL, BASKETS, FUNNEL, PAIRS, Stream
from shared.io.bus import Client
from shared.runtime.errors import StartRefused

OLD_S = 150
"""Pairs are told about in turn, 100 a second: with 10,000 of them each comes round within two minutes."""

M = TypeVar("M", bound=Message)


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the pair's state on the bus, the one present reason, and what the detector said with it."""

    pair_id: str
    state: str
    """``live``, ``suspended`` or ``candidate``."""
    reason: str
    for_ms: int | None = None
    """Since when it is so."""
    age_ms: int | None = None
    """How old the detector's word is; None when it said nothing."""
    standing: PairStanding | None = None


class WhyBasket(msgspec.Struct, frozen=True, kw_only=True):
    """The answer about a basket; what is not explained here is as in ``Why``."""

    basket_id: str
    state: str
    """``live`` or ``suspended``."""
    reason: str
    for_ms: int | None = None
    age_ms: int | None = None
    standing: BasketStanding | None = None


async def read_answer(redis: Client, name: str, *, now_ns: int) -> Why | WhyBasket:
    """Return the answer about a pair or basket. Raises StartRefused when nobody knows it, or it cannot be read."""
    basket = await _held(redis, BASKETS, name)
    if isinstance(basket, BasketActivated | BasketSuspended):
        return basket_answer(basket, await _held(redis, BASKET_FUNNEL, name), now_ns=now_ns)
    told = await _held(redis, FUNNEL, name)
    standing = told if isinstance(told, PairStanding) else None
    return answer_of(name, await _held(redis, PAIRS, name), standing, now_ns=now_ns)


def answer_of(pair_id: str, found: PairMessage | None, standing: PairStanding | None, *, now_ns: int) -> Why:
    """Return the answer about a pair. Raises StartRefused for one that nobody knows."""
    match found:
        case PairSuspended():
            return Why(pair_id=pair_id, state="suspended", reason=f"the pair is suspended: {found.reason}")
        case CandidateFound():
            return Why(pair_id=pair_id, state="candidate", reason="nobody has approved this candidate")
        case PairActivated():
            reason, for_ms, age_ms = _word(standing, now_ns)
            return Why(pair_id=pair_id, state="live", reason=reason, for_ms=for_ms, age_ms=age_ms, standing=standing)
        case _:
            raise StartRefused(f"there is no pair or basket {pair_id!r} on the bus; see: dutchbook pairs list")


def basket_answer(
    found: BasketActivated | BasketSuspended, standing: BasketStanding | None, *, now_ns: int
) -> WhyBasket:
    """Return the answer about a basket."""
    name = found.basket.basket_id
    if isinstance(found, BasketSuspended):
        return WhyBasket(basket_id=name, state="suspended", reason=f"the basket is suspended: {found.reason}")
    reason, for_ms, age_ms = _word(standing, now_ns)
    return WhyBasket(basket_id=name, state="live", reason=reason, for_ms=for_ms, age_ms=age_ms, standing=standing)


def _word(standing: PairStanding | BasketStanding | None, now_ns: int) -> tuple[str, int | None, int | None]:
    """Return the detector's reason, for how long it has been so, and how old its word is; an old word is said to be."""
    if standing is None:
        return "no detector has looked at it yet; does one run?", None, None
    for_ms = max(0, now_ns - standing.since_ts_ns) // 1_000_000
    age_ms = max(0, now_ns - standing.as_of_ts_ns) // 1_000_000
    if age_ms > OLD_S * 1_000:
        return f"no detector has looked at it for {age_ms // 1_000} s; then: {standing.reason}", for_ms, age_ms
    return standing.reason, for_ms, age_ms


async def _held(redis: Client, stream: Stream[M], name: str) -> M | None:
    payload = await redis.hget(stream.hash_name, name)
    try:
        return None if payload is None else stream.decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StartRefused(f"what the bus holds about {name!r} cannot be read: {error}") from None
