"""``dutchbook why PAIR`` (or BASKET): why it is not alerting, as the detector told it last."""

import asyncio
import os
import time
from typing import Annotated

import msgspec
import typer

from services.cli.baskets import WhyBasket, basket_answer, read_basket
from services.cli.output import write_json, write_line
from shared.contracts.baskets import BasketActivated, BasketStanding, BasketSuspended
from shared.contracts.funnel import DirectionStanding, LegStanding, PairStanding
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.contracts.streams import FUNNEL, PAIRS
from shared.io.bus import TRANSIENT, Client, Profile, connect
from shared.runtime.errors import StartRefused
from shared.runtime.redis_address import redis_url_in
from shared.runtime.redis_server import check_redis

OLD_S = 150
"""Pairs are told about in turn, 100 a second: with 10,000 of them each comes round within two minutes."""


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


def why_command(
    pair: Annotated[str, typer.Argument(help="The id of a pair or basket, as in: dutchbook pairs list.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say why a pair or a basket is not alerting, with the figures that the detector saw."""
    try:
        answer = asyncio.run(_answer(redis_url_in(os.environ), pair))
    except TRANSIENT as error:
        raise StartRefused(f"Redis at DUTCHBOOK_REDIS_URL does not answer: {error}") from None
    if as_json:
        write_json(answer)
        return
    for line in lines_of(answer):
        write_line(line)


def answer_of(pair_id: str, found: PairMessage | None, standing: PairStanding | None, *, now_ns: int) -> Why:
    """Return the answer from what the bus holds. Raises StartRefused for a pair that nobody knows."""
    match found:
        case PairSuspended():
            return Why(pair_id=pair_id, state="suspended", reason=f"the pair is suspended: {found.reason}")
        case CandidateFound():
            return Why(pair_id=pair_id, state="candidate", reason="nobody has approved this candidate")
        case PairActivated():
            pass
        case _:
            raise StartRefused(f"there is no pair or basket {pair_id!r} on the bus; see: dutchbook pairs list")
    if standing is None:
        return Why(pair_id=pair_id, state="live", reason="no detector has looked at it yet; does one run?")
    age_ms = max(0, now_ns - standing.as_of_ts_ns) // 1_000_000
    reason = standing.reason
    if age_ms > OLD_S * 1_000:
        reason = f"no detector has looked at it for {age_ms // 1_000} s; then: {reason}"
    for_ms = max(0, now_ns - standing.since_ts_ns) // 1_000_000
    return Why(pair_id=pair_id, state="live", reason=reason, for_ms=for_ms, age_ms=age_ms, standing=standing)


def lines_of(answer: Why | WhyBasket) -> list[str]:
    """Return the answer for people."""
    name = answer.pair_id if isinstance(answer, Why) else answer.basket_id
    standing = answer.standing
    if standing is None or answer.for_ms is None or answer.age_ms is None:
        return [name, f"  {answer.reason}"]
    alert_only = [f"  alert-only: {standing.alert_only}"] if standing.alert_only else []
    counts = ", ".join(f"{reason} {count}" for reason, count in standing.reasons)
    return [
        f"{name}  {standing.title}".rstrip(),
        f"  {answer.reason} (for {_seconds(answer.for_ms)}, as of {_seconds(answer.age_ms)} ago)",
        *alert_only,
        *(_leg_line(leg) for leg in standing.legs),
        *_edge_lines(standing),
        f"  {standing.evaluations} evaluations: {counts}",
    ]


def _leg_line(leg: LegStanding) -> str:
    prices = "  ".join(
        f"{name} {'none' if level is None else f'{level[0]} x {level[1]}'}"
        for name, level in (("bid", leg.yes_bid), ("ask", leg.yes_ask))
    )
    ages = f"beat {_age(leg.beat_age_ms)}, frame {_age(leg.frame_age_ms)}, lag {leg.lag_ms} ms"
    verdict = f"{leg.verified or 'unverified'}  {ages}: {leg.reason or 'counts'}"
    return f"  {leg.venue.value:<10} {leg.market_id}  {prices}  {verdict}"


def _edge_lines(standing: PairStanding | BasketStanding) -> list[str]:
    if isinstance(standing, BasketStanding):
        return [_edge_line("the basket", standing, standing)]
    return [_edge_line(found.direction.value, found, standing) for found in standing.directions]


def _edge_line(name: str, found: DirectionStanding | BasketStanding, standing: PairStanding | BasketStanding) -> str:
    if found.edge_dollars_per_contract is None:
        return f"  {name}: not on offer"
    said = f"the first contract earns ${found.edge_dollars_per_contract} after fees"
    asked = f"${standing.asked_dollars_per_contract} asked for each, ${standing.asked_dollars} in all"
    state = f"; open as {found.opportunity_id}" if found.opportunity_id else ""
    waiting = f"; waiting for {found.waited_ms} ms" if found.waited_ms else ""
    return f"  {name}: {said} ({asked}){state}{waiting}"


def _age(ms: int) -> str:
    return "never" if ms < 0 else f"{_seconds(ms)} ago"


def _seconds(ms: int) -> str:
    return f"{ms / 1_000:.1f} s"


async def _answer(url: str, name: str) -> Why | WhyBasket:
    await check_redis(url)
    redis = connect(url, Profile.WRITER)
    try:
        basket, of_basket = await read_basket(redis, name)
        if isinstance(basket, BasketActivated | BasketSuspended):
            return basket_answer(basket, of_basket, now_ns=time.time_ns(), old_s=OLD_S)
        found, standing = await _read(redis, name)
    finally:
        await redis.aclose()
    return answer_of(name, found, standing, now_ns=time.time_ns())


async def _read(redis: Client, pair_id: str) -> tuple[PairMessage | None, PairStanding | None]:
    found = await redis.hget(PAIRS.hash_name, pair_id)
    standing = await redis.hget(FUNNEL.hash_name, pair_id)
    try:
        told = None if standing is None else FUNNEL.decoder.decode(standing)
        return None if found is None else PAIRS.decoder.decode(found), told if isinstance(told, PairStanding) else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StartRefused(f"what the bus holds about {pair_id!r} cannot be read: {error}") from None
