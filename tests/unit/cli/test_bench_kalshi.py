"""The Kalshi benchmark compares only contestants that agree, and its tape is a conversation our session believes."""

from decimal import Decimal

import pytest

from services.cli.bench import kalshi, kalshi_rivals
from services.cli.bench.kalshi_tape import DEEP_LEVELS, make_tape
from shared.venues.kalshi.session import KalshiSession


def test_a_small_run_reports_rates_and_ratios_of_the_same_work() -> None:
    report = kalshi.measure(messages=1_000, repetitions=1, seed=3)
    assert report["messages"] >= 1_000
    assert report["messages_per_s"]["ours"] > report["messages_per_s"]["naive"] > 0
    assert report["times_naive"] > 1
    assert (report["times_pykalshi"] is None) == bool(kalshi_rivals.pykalshi_missing())


def test_nothing_on_the_tape_is_refused_and_books_are_as_deep_as_recorded_ones() -> None:
    tape = make_tape(messages=2_000, seed=4)
    session = KalshiSession(adopt=True)
    for frame in [*tape.snapshots, *tape.deltas]:
        session.receive(frame, 0)
    assert (session.counts.gaps, dict(session.counts.refused)) == (0, {})
    books = [session.book(ticker) for ticker in tape.tickers]
    assert any(book is not None and len(book.yes_bids.sizes_e6) >= DEEP_LEVELS for book in books)


def test_contestants_that_disagree_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kalshi_rivals, "run_naive", lambda _tape: (1.0, {"A": (Decimal(0), Decimal(1))}))
    with pytest.raises(kalshi.Unequal, match="naive ends with other best prices"):
        kalshi.measure(messages=1_000, repetitions=1, seed=3)
