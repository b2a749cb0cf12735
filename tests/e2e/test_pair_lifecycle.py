"""A pair's whole life with real processes: approved on the command line, fed, settled on both venues, compared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.matcher.mapping_files import load
from shared.contracts.pairs import PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import FIELD, PAIRS
from shared.domain.market import Venue
from shared.domain.pair import Pair
from tests.e2e.pipeline import Pipeline, all_quoted, scanning
from tests.waiting import eventually


@pytest.fixture(scope="module")
def pipe() -> Iterator[Pipeline]:
    with scanning(questions=24, rate=40, plant_interval_ms=0, refresh_s=1) as pipe:
        yield pipe


def said(pipe: Pipeline) -> list[PairMessage]:
    return [PAIRS.decoder.decode(fields[FIELD]) for _, fields in pipe.redis.xrange(PAIRS.name)]


def last_word(pipe: Pipeline, pair: Pair) -> PairMessage | None:
    """The newest message about a pair."""

    def about(message: Any) -> str:
        return str(message.pair_id if hasattr(message, "pair_id") else message.pair.pair_id)

    return next((message for message in reversed(said(pipe)) if about(message) == pair.pair_id), None)


def review(pipe: Pipeline, *words: str) -> Any:
    return pipe.command("pairs", "review", *words, "--folder", pipe.environ["MATCHER_MAPPINGS_DIR"])


def wait_until_carried_exactly(pipe: Pipeline) -> None:
    """Wait until both feeds carry the markets of live pairs and no others."""
    for venue in Venue:
        wanted = {pair.market_id(venue) for pair in pipe.live_pairs()}

        def carried(venue: Venue = venue) -> int:
            beat = pipe.beat(venue)
            return beat.markets if beat is not None else -1

        eventually(lambda carried=carried, wanted=wanted: carried() == len(wanted), what=carried)


def happens(pipe: Pipeline, venue: Venue, event: str, pair: Pair, value: str) -> None:
    order = {"venue": venue.value, "event": event, "market": pair.market_id(venue), "value": value}
    pipe.control("/_event", order)


def settle(pipe: Pipeline, pair: Pair, *, kalshi: str, winner: int) -> None:
    happens(pipe, Venue.KALSHI, "settle", pair, kalshi)
    happens(pipe, Venue.POLYMARKET, "resolve", pair, str(winner))


def winner_for(pair: Pair, *, kalshi_yes: bool) -> int:
    """The Polymarket outcome that pays when both venues agree."""
    return 0 if kalshi_yes is (pair.orientation.value == "same") else 1


def test_an_approval_on_the_command_line_makes_a_live_pair_that_both_feeds_subscribe_without_a_restart(
    pipe: Pipeline,
) -> None:
    unmapped = pipe.control("/truth")["unmapped"]
    assert unmapped, "the simulated world has true pairs that nobody has mapped"
    started = {name: run.process.pid for name, run in pipe.runs.items()}
    before = len(pipe.live_pairs())
    name = f"{unmapped[0]['kalshi_ticker']}~{unmapped[0]['condition_id']}"
    words = ("--invert",) if review(pipe, name)["case"]["orientation"] != unmapped[0]["orientation"] else ()
    for by in ("alice", "bob"):
        written = review(pipe, name, "--approve", *words, "--by", by, "--note", "read both")
        if written["status"] == "approved":
            break
        words = ()
    assert written["status"] == "approved"
    eventually(lambda: len(pipe.live_pairs()) == before + 1, what=lambda: pipe.runs["matcher"].stderr[-2_000:])
    eventually(lambda: all_quoted(pipe), what=pipe.live_pairs)
    [pair] = [pair for pair in pipe.live_pairs() if pair.pair_id == written["pair_id"]]
    assert pair.orientation == unmapped[0]["orientation"]
    wait_until_carried_exactly(pipe)
    assert {name: run.process.pid for name, run in pipe.runs.items() if run.process.poll() is None} == started

    review(pipe, pair.pair_id, "--suspend", "--by", "alice", "--note", "second thoughts")
    eventually(lambda: len(pipe.live_pairs()) == before)
    wait_until_carried_exactly(pipe)


def test_a_pair_that_settled_alike_is_retired_and_one_that_did_not_suspends_its_series_and_is_kept(
    pipe: Pipeline,
) -> None:
    live = pipe.live_pairs()
    alike = live[0]
    settle(pipe, alike, kalshi="yes", winner=winner_for(alike, kalshi_yes=True))
    eventually(lambda: isinstance(last_word(pipe, alike), PairRetired), what=lambda: last_word(pipe, alike))
    retired = last_word(pipe, alike)
    assert isinstance(retired, PairRetired)
    assert retired.reason == "both venues settled alike: kalshi YES paid 1"
    waited = [one for one in said(pipe) if isinstance(one, PairSuspended) and one.pair.pair_id == alike.pair_id]
    assert {one.awaits for one in waited} == {"results"}

    def series(pair: Pair) -> str:
        return pair.kalshi_ticker.partition("-")[0]

    live = pipe.live_pairs()
    different = next(one for one in live if sum(series(other) == series(one) for other in live) > 1)
    siblings = {one.pair_id for one in live if series(one) == series(different)} - {different.pair_id}
    settle(pipe, different, kalshi="yes", winner=winner_for(different, kalshi_yes=False))
    folder = Path(pipe.environ["MATCHER_MAPPINGS_DIR"])
    eventually(lambda: load(folder).disagreements, what=lambda: last_word(pipe, different))
    [record] = load(folder).disagreements
    assert (record.pair_id, record.series, record.status) == (different.pair_id, series(different), "open")
    assert record.kalshi.rules_text
    assert record.polymarket.rules_text
    eventually(lambda: not siblings & {pair.pair_id for pair in pipe.live_pairs()})
    assert {series(pair) for pair in pipe.live_pairs()}, "the other series go on"
    assert series(different) not in {series(pair) for pair in pipe.live_pairs()}
    eventually(lambda: isinstance(last_word(pipe, different), PairRetired))
