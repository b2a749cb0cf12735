"""``dutchbook why PAIR`` (or BASKET): why it is not alerting, as the detector told it last."""

import time
from typing import Annotated

import typer

from services.cli.asking import ask_redis
from services.cli.output import AsJson, write_json, write_line
from services.cli.why_answers import Why, WhyBasket, read_answer
from shared.contracts.baskets import BasketStanding
from shared.contracts.funnel import DirectionStanding, LegStanding, PairStanding
from shared.io.bus import Profile, connect


def why_command(
    pair: Annotated[str, typer.Argument(help="The id of a pair or basket, as in: dutchbook pairs list.")],
    as_json: AsJson = False,
) -> None:
    """Say why a pair or a basket is not alerting, with the figures that the detector saw."""
    answer = ask_redis(lambda url: _answer(url, pair))
    if as_json:
        write_json(answer)
        return
    for line in lines_of(answer):
        write_line(line)


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
    redis = connect(url, Profile.WRITER)
    try:
        return await read_answer(redis, name, now_ns=time.time_ns())
    finally:
        await redis.aclose()
