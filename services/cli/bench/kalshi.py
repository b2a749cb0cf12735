"""How fast a Kalshi frame becomes a best price: our session, the naive way, and pykalshi where it is installed.

All of them get the same frames, made by the simulated world before anything is timed, and answer the same question
after each one: the best YES bid and ask of the market. Repetitions are interleaved, so that a busy machine is busy for
all of them, and the least processor time of each is what counts. Afterwards every book has to be the same, or nothing
is reported.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from services.cli.bench import kalshi_rivals as rivals
from services.cli.bench.kalshi_tape import DEEP_LEVELS, Best, Tape, make_tape
from services.cli.output import write_line
from shared.domain.numbers import price_dollars
from shared.venues.kalshi.session import KalshiSession


class Unequal(Exception):
    """Two contestants do not end with the same best prices: their times must not be compared."""


class Contestant(NamedTuple):
    """One way to keep books. ``run`` returns the processor seconds of the deltas and the best prices at the end."""

    name: str
    run: Callable[[Tape], tuple[float, dict[str, Best]]]


def measure(*, messages: int, repetitions: int, seed: int) -> dict[str, Any]:
    """Return messages per second of every contestant, and the ratios to ours. Raises Unequal."""
    tape = make_tape(messages=messages, seed=seed)
    contestants = [Contestant("ours", run_ours), Contestant("naive", rivals.run_naive)]
    missing = rivals.pykalshi_missing()
    if not missing:
        contestants.append(Contestant("pykalshi", rivals.run_pykalshi))
    least_s: dict[str, float] = {}
    for _ in range(repetitions):
        ends: dict[str, dict[str, Best]] = {}
        for contestant in contestants:
            seconds, ends[contestant.name] = contestant.run(tape)
            least_s[contestant.name] = min(seconds, least_s.get(contestant.name, seconds))
        _require_equal(ends)
    rates = {name: round(len(tape.deltas) / seconds) for name, seconds in least_s.items()}
    return {
        "messages": len(tape.deltas),
        "markets": len(tape.tickers),
        "far_levels_a_side": DEEP_LEVELS,
        "repetitions": repetitions,
        "measure": "least processor time over interleaved repetitions; JSON to book to best price for each message",
        "messages_per_s": rates,
        "times_naive": round(least_s["naive"] / least_s["ours"], 2),
        "times_pykalshi": round(least_s["pykalshi"] / least_s["ours"], 2) if "pykalshi" in least_s else None,
        "pykalshi": missing or "installed",
    }


def print_report(report: dict[str, Any]) -> None:
    """Say it in words."""
    for name, rate in report["messages_per_s"].items():
        write_line(f"{name:>9}  {rate:>9,} messages per second")
    write_line(f"{report['times_naive']} times naive")
    if report["times_pykalshi"] is None:
        write_line(f"pykalshi: {report['pykalshi']}")
    else:
        write_line(f"{report['times_pykalshi']} times pykalshi")


def run_ours(tape: Tape) -> tuple[float, dict[str, Best]]:
    """Feed our session, with its sequence, group and crossing rules on."""
    session = KalshiSession(adopt=True)
    for frame in tape.snapshots:
        session.receive(frame, 0)
    receive, book_of = session.receive, session.book
    asked = list(zip(tape.deltas, tape.delta_tickers, strict=True))
    began_s = time.process_time()
    for frame, ticker in asked:
        receive(frame, 0)
        book = book_of(ticker)
        assert book is not None
        _ = book.best_bid_e4, book.best_ask_e4
    seconds = time.process_time() - began_s
    session.settle()
    ends = {ticker: session.book(ticker) for ticker in tape.tickers}
    return seconds, {
        ticker: (price_dollars(book.best_bid_e4), price_dollars(book.best_ask_e4))
        for ticker, book in ends.items()
        if book is not None
    }


def _require_equal(ends: dict[str, dict[str, Best]]) -> None:
    ours = ends["ours"]
    for name, theirs in ends.items():
        differing = [ticker for ticker in ours if ours[ticker] != theirs.get(ticker)]
        if differing or len(ours) != len(theirs):
            raise Unequal(f"{name} ends with other best prices than ours, for example of {differing[:3]}")
