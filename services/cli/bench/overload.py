"""Twice what a pipeline can hold, for five seconds, and then little again: how late it gets and how soon it is back."""

import asyncio
from collections.abc import Sequence

import msgspec

from services.cli.bench.figures import HELD_LATENCY_NS, HELD_SHARE, Moment, answers, percentile_ms
from services.cli.bench.pipeline import LIGHT_RATE, Bench, openings_of
from services.cli.output import write_line

OVERLOAD_SECONDS = 5.0
AFTER_SECONDS = 5.0
_BACK_WITHIN_NS = 1_000_000_000


class Overload(msgspec.Struct, kw_only=True):
    """What an overload did."""

    rate: int
    """Messages per second asked for, while it lasted."""
    sent_per_s: int
    """Messages per second that the player really sent."""
    messages: int
    quotes_per_message: float
    """Below one: newer states replaced older ones before they were written."""
    worst_ms: float | None
    """The longest way from the wire to the executor while it lasted, of the edges that were answered."""
    after_p95_ms: float | None
    """From one second after it on."""
    back_after_s: float | None
    """After which time nearly every edge was answered within fifty milliseconds; None when that never came."""
    player_late_ms: int
    newest_state_delivered: bool
    """Whether, at the end, every market's latest quote has the best prices that the venue has."""

    @property
    def is_answered(self) -> bool:
        """Whether the way was back under fifty milliseconds within a second, and nothing stayed old."""
        return self.back_after_s is not None and self.back_after_s <= 1.0 and self.newest_state_delivered


async def overload(bench: Bench, capacity: int) -> Overload:
    """Play twice ``capacity`` messages per second for five seconds, then few, and look at both."""
    rate = 2 * capacity
    before = await bench.quotes()
    played, _ = await bench.play([(rate, OVERLOAD_SECONDS), (LIGHT_RATE, AFTER_SECONDS)])
    await asyncio.sleep(2.0)
    quotes = await bench.quotes() - before
    openings, reads = openings_of(played), await bench.reads()
    over_ns = played["part_ends_ns"][0]
    return Overload(
        rate=rate,
        sent_per_s=played["part_rates"][0],
        messages=played["messages"],
        quotes_per_message=round(quotes / played["messages"], 3),
        worst_ms=_worst_ms([opening for opening in openings if opening.at_ns < over_ns], reads),
        after_p95_ms=_p95_ms([one for one in openings if one.at_ns >= over_ns + _BACK_WITHIN_NS], reads),
        back_after_s=back_after_s(openings, reads, over_ns),
        player_late_ms=played["player_late_ms"],
        newest_state_delivered=not await bench.outdated(),
    )


def print_overload(found: Overload) -> None:
    """Say it in words."""
    write_line(
        f"{found.messages:,} messages, {found.sent_per_s:,}/s for {OVERLOAD_SECONDS:.0f} s and then {LIGHT_RATE:,}/s: "
        f"{found.quotes_per_message} quotes per message, at worst {found.worst_ms} ms from the wire to the executor"
    )
    verdict = "answered" if found.is_answered else "not answered"
    back = "not back in time" if found.back_after_s is None else f"back under 50 ms after {found.back_after_s} s"
    newest = "every market's newest state was delivered" if found.newest_state_delivered else "some markets stayed old"
    write_line(f"{verdict}: {back}; {newest}; the player was {found.player_late_ms} ms late at worst")


def back_after_s(openings: Sequence[Moment], reads: Sequence[Moment], over_ns: int) -> float | None:
    """Return how long after ``over_ns`` the edge opened from which on nearly all were answered in time, None for none.

    An edge without an answer counts as late.
    """
    judged = [
        (opening.at_ns, answer is not None and answer.at_ns - opening.at_ns <= HELD_LATENCY_NS)
        for opening, answer in zip(openings, answers(openings, reads), strict=True)
        if opening.at_ns >= over_ns
    ]
    for first, (at_ns, is_in_time) in enumerate(judged):
        rest = judged[first:]
        if is_in_time and sum(in_time for _, in_time in rest) >= HELD_SHARE * len(rest):
            return 0.0 if first == 0 else round((at_ns - over_ns) / 1_000_000_000, 3)
    return None


def _worst_ms(openings: Sequence[Moment], reads: Sequence[Moment]) -> float | None:
    return max((round(ns / 1_000_000, 3) for ns in _ways_ns(openings, reads)), default=None)


def _p95_ms(openings: Sequence[Moment], reads: Sequence[Moment]) -> float | None:
    return percentile_ms(_ways_ns(openings, reads), 95)


def _ways_ns(openings: Sequence[Moment], reads: Sequence[Moment]) -> list[int]:
    found = zip(openings, answers(openings, reads), strict=True)
    return [answer.at_ns - opening.at_ns for opening, answer in found if answer is not None]
