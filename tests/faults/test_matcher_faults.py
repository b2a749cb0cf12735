"""The faults M01 to M05, M07 and M08 of the matcher, against real processes. M06 is measured by ``bench matcher``.

M02 and M03 concern single rows and values; ``tests/unit/matcher/test_mappings.py`` and ``tests/unit/io`` have more.
"""

import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.matcher.atomic_files import write_atomically
from services.matcher.mapping_files import lint
from services.matcher.mapping_text import curated_yaml
from shared.contracts.alerts import OperationalAlert
from shared.contracts.catalog import MarketListed
from shared.contracts.executions import IntentRefused, OrderJournaled
from shared.contracts.intents import HedgedIntent
from shared.contracts.pairs import PairActivated, PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import ALERTS, CATALOG, FIELD, PAIRS, executions, intents
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import Orientation, Pair
from shared.runtime.redis_server import RedisServer
from tests.e2e.pipeline import Pipeline, pipeline, private_pipeline, scanning
from tests.e2e.processes import short_folder
from tests.service.executor_world import World, fresh_intent
from tests.unit.kalshi_executor.builders import PAIR
from tests.unit.matcher.listings import kalshi_game_side, moneyline
from tests.unit.matcher.test_core import fed, fed_there
from tests.unit.matcher.test_mappings import SHIPPED, row
from tests.waiting import eventually

FAR = datetime(2099, 1, 1, tzinfo=UTC)
REFRESH_S = 1
GAMES = 2_500
"""Each makes two pairs."""
AT_ONCE_S = 1.0
LONG_ENOUGH_MS = 1_000
"""An intent leaves within a tenth of this."""


# --- files: M01 to M04 ----------------------------------------------------------------------------------------------


class Files:
    """A matcher process with one live pair and a folder to spoil."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self.folder = pipe.folder / "mappings"
        self.path = self.folder / "pairs" / "economics.yaml"
        shutil.copytree(SHIPPED, self.folder)
        self.good = curated_yaml([row(not_after=FAR)])
        write_atomically(self.path, self.good)
        for market in (fed(), fed_there()):
            self.put(market)

    def put(self, *markets: Market) -> None:
        for market in markets:
            payload = msgspec.json.encode(MarketListed(market=market))
            self.pipe.redis.hset(CATALOG[market.venue].hash_name, market.market_id, payload)
            self.pipe.redis.xadd(CATALOG[market.venue].name, {FIELD: payload})

    def start(self) -> None:
        self.pipe.start("matcher", MATCHER_MAPPINGS_DIR=str(self.folder), MATCHER_MAPPINGS_POLL_MS="20")
        eventually(lambda: len(self.pipe.live_pairs()) == 1)

    def alerts(self) -> list[OperationalAlert]:
        return [ALERTS.decoder.decode(fields[FIELD]) for _, fields in self.pipe.redis.xrange(ALERTS.name)]

    def refusal(self, after: int) -> OperationalAlert:
        """The alert about refused mappings that comes after ``after`` others."""
        found = eventually(lambda: self.alerts()[after:], what=lambda: self.pipe.runs["matcher"].stderr)
        return found[0]

    def repair(self) -> None:
        """Put the good text back and wait until it is in force: a row more proves it."""
        other = row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", condition_id="0x" + "12" * 32, token_ids=("5", "6"))
        self.put(
            fed(market_id=MarketId("KXFEDDECISION-26DEC-H0")),
            fed_there(market_id=MarketId("0x" + "12" * 32), token_ids=("5", "6")),
        )
        other = msgspec.structs.replace(other, not_after=FAR)
        write_atomically(self.path, curated_yaml([row(not_after=FAR), other]))
        eventually(lambda: len(self.pipe.live_pairs()) == 2)
        write_atomically(self.path, self.good)
        eventually(lambda: len(self.pipe.live_pairs()) == 1)


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with private_pipeline() as pipe:
        files = Files(pipe)
        files.start()
        yield files
        files.pipe.stop_all()


def test_m01_a_file_written_in_two_steps_keeps_the_last_good_and_pages_and_its_end_is_taken(files: Files) -> None:
    before = len(files.alerts())
    [pair] = files.pipe.live_pairs()
    half = len(files.good) - 30
    with files.path.open("w") as file:
        file.write(files.good[:half])
        file.flush()
        alert = files.refusal(before)
        assert (alert.code, alert.severity) == ("matcher.mappings_refused", "page")
        assert f"{files.path}:" in alert.detail
        assert files.pipe.live_pairs() == [pair]
        file.write(files.good[half:])
    files.repair()
    assert len(files.alerts()) == before + 1


def test_m02_a_key_twice_a_market_twice_and_a_silent_flip_are_refused_with_their_line(files: Files) -> None:
    flipped = curated_yaml([row(not_after=FAR, orientation=Orientation.INVERTED)])
    twice = curated_yaml([row(not_after=FAR), row(pair_id="b", not_after=FAR)])
    for text, said in (
        (files.good.replace("    category:", '    status: "approved"\n    category:', 1), "key `status` again"),
        (twice, "approved ticker KXFEDDECISION-26DEC-C25 again"),
        (flipped, "changed without a newer review.verified_at"),
    ):
        before = len(files.alerts())
        write_atomically(files.path, text)
        detail = files.refusal(before).detail
        assert said in detail
        assert f"{files.path}:" in detail
        assert [pair.orientation for pair in files.pipe.live_pairs()] == [Orientation.SAME]
        files.repair()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('condition_id: "0x', "condition_id: 0x", ""),
        ('pair_id: "fed-2026-12-cut-25"', "pair_id: no", ""),
        ('not_after: "2099-01-01T00:00:00Z"', "not_after: 2099-01-01", "Invalid RFC3339"),
        ('relation: "equivalent"', "relation: yes", "Invalid enum value 'yes'"),
    ],
)
def test_m03_what_is_not_quoted_is_loaded_as_text_or_refused(files: Files, old: str, new: str, said: str) -> None:
    assert old in files.good
    text = files.good.replace(old, new, 1)
    if old.endswith('"0x'):
        text = text.replace(f'{new}{"ab" * 32}"', f"{new}{'ab' * 32}", 1)
    before = len(files.alerts())
    write_atomically(files.path, text)
    if said:
        assert said in files.refusal(before).detail
    elif "pair_id" in old:
        eventually(lambda: [pair.pair_id for pair in files.pipe.live_pairs()] == ["no"])
    files.repair()
    assert len(files.alerts()) == before + bool(said)


def test_m04_bombs_tags_and_huge_files_are_refused_at_once_and_the_matcher_goes_on(files: Files) -> None:
    bomb = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    spoiled = files.folder / "pairs" / "spoiled.yaml"
    for content in (bomb, "pairs: !!python/object/apply:os.system [true]\n", "# " + "x" * 50_000_000 + "\n"):
        before = len(files.alerts())
        write_atomically(spoiled, content)
        began_s = time.monotonic()
        [problem] = lint(files.folder)
        assert time.monotonic() - began_s < AT_ONCE_S
        assert (problem.file, problem.line) == (str(spoiled), 1)
        assert f"{spoiled}:1: " in files.refusal(before).detail
        assert len(files.pipe.live_pairs()) == 1
        spoiled.unlink()
        files.repair()


# --- M05: a text changes --------------------------------------------------------------------------------------------


class Scan:
    """The whole pipeline on simulated venues with few questions and many planted crossings."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe

    def pairs_said(self) -> list[tuple[int, PairMessage]]:
        """What the matcher said, and when in milliseconds."""
        entries = self.pipe.redis.xrange(PAIRS.name)
        return [(int(entry.split(b"-")[0]), PAIRS.decoder.decode(fields[FIELD])) for entry, fields in entries]

    def suspended_ms(self, pair: Pair) -> int:
        """When the pair was suspended; 0 while it is not."""
        for when_ms, message in self.pairs_said():
            if isinstance(message, PairSuspended) and message.pair.pair_id == pair.pair_id:
                return when_ms
        return 0

    def intents(self) -> list[tuple[int, HedgedIntent]]:
        stream = intents("test")
        entries = self.pipe.redis.xrange(stream.name)
        return [(int(entry.split(b"-")[0]), stream.decoder.decode(fields[FIELD])) for entry, fields in entries]

    def executed(self) -> list[Any]:
        stream = executions("test")
        return [stream.decoder.decode(fields[FIELD]) for _, fields in self.pipe.redis.xrange(stream.name)]

    def busy_pair(self, without: frozenset[str] = frozenset()) -> Pair:
        """A live pair that has had an intent."""

        def found() -> Pair | None:
            live = {pair.pair_id: pair for pair in self.pipe.live_pairs()}
            names = [message.pair_id for _, message in self.intents() if message.pair_id not in without]
            return next((live[name] for name in reversed(names) if name in live), None)

        return eventually(found, what=lambda: self.pipe.runs["arb_detector"].stderr[-2_000:])  # type: ignore[return-value]

    def edit(self, venue: Venue, pair: Pair, text: str) -> None:
        order = {"venue": venue.value, "event": "edit", "market": pair.market_id(venue), "value": text}
        self.pipe.control("/_event", order)

    def listings(self, service: str) -> int:
        """How often a feed has read its venue's whole listing."""
        return self.pipe.runs[service].stderr.count('"catalog.read"')

    def opportunities_since(self, pair: Pair, since_ms: int) -> list[Any]:
        """What would have paid on this pair, by the simulator's own books, and stood or ended a second ago."""
        truth = self.pipe.control(f"/truth?since_ms={since_ms}")
        ours = [one for one in truth["intervals"] if one["kalshi_ticker"] == pair.kalshi_ticker]
        return [one for one in ours if since_ms < one["opened_ms"] < truth["now_ms"] - LONG_ENOUGH_MS]

    def markets_of(self, venue: Venue) -> int:
        beat = self.pipe.beat(venue)
        return beat.markets if beat is not None else -1


@pytest.fixture(scope="module")
def scan() -> Iterator[Scan]:
    with scanning(questions=8, rate=60, plant_interval_ms=150, refresh_s=REFRESH_S) as pipe:
        yield Scan(pipe)


@pytest.mark.parametrize("venue", list(Venue))
def test_m05_a_rule_text_edited_at_the_venue_suspends_its_pair_within_one_refresh_and_no_intent_leaves_afterwards(
    scan: Scan, venue: Venue
) -> None:
    service = f"{venue.value}_feed"
    pair = scan.busy_pair()
    carried = scan.markets_of(venue)
    began = scan.listings(service)
    scan.edit(venue, pair, f"Yes if it is so by the end of the year after. {pair.title}")
    edited_ms = time.time_ns() // 1_000_000
    suspended_ms = eventually(lambda: scan.suspended_ms(pair), what=lambda: scan.pipe.runs["matcher"].stderr[-2_000:])
    assert scan.listings(service) <= began + 2, "the listing that was under way, or the next one, has shown it"
    assert suspended_ms - edited_ms < (REFRESH_S + 5) * 1_000

    passed = eventually(lambda: scan.opportunities_since(pair, suspended_ms + 500), what=lambda: pair.pair_id)
    others = len([1 for when_ms, one in scan.intents() if when_ms > suspended_ms and one.pair_id != pair.pair_id])
    eventually(
        lambda: (
            len([1 for when_ms, one in scan.intents() if when_ms > suspended_ms and one.pair_id != pair.pair_id])
            > others
        ),
        what=lambda: "the other pairs go on",
    )
    assert passed
    grace_ms = 250  # an intent may be under way while the suspension is
    late = [one for when_ms, one in scan.intents() if one.pair_id == pair.pair_id and when_ms > suspended_ms + grace_ms]
    assert late == []
    journaled = [one for one in scan.executed() if isinstance(one, OrderJournaled) and one.pair_id == pair.pair_id]
    assert all(one.happened_ts_ns // 1_000_000 <= suspended_ms + grace_ms for one in journaled)
    eventually(lambda: scan.markets_of(venue) < carried, what=lambda: "the feed lets the market go")


# --- M07: the matcher dies while it publishes -----------------------------------------------------------------------


def many_games(count: int) -> list[Market]:
    """Games of one league, day after day: each listing makes two pairs."""
    found: list[Market] = []
    for number in range(count):
        day = date(2026, 12, 1) + timedelta(days=number)
        event = f"KXNBAGAME-{day:%y%b%d}HOUPOR".upper()
        slug = f"nba-hou-por-{day:%Y-%m-%d}"
        found += [kalshi_game_side("HOU", "Houston", event), kalshi_game_side("POR", "Portland", event)]
        start = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
        found.append(
            moneyline(
                slug,
                event_slug=slug,
                market_id=MarketId(f"0x{number:064x}"),
                token_ids=(f"{number + 1}1", f"{number + 1}2"),
                game_start_time=start,
            )
        )
    return found


def held_by(pipe: Pipeline) -> dict[str, bytes]:
    return {key.decode(): bytes(value) for key, value in pipe.redis.hgetall(PAIRS.hash_name).items()}


def words_in(pipe: Pipeline) -> set[tuple[str, int]]:
    """The messages of the log; one that was written again, because its reply was lost, has the same place."""
    said = (PAIRS.decoder.decode(fields[FIELD]) for _, fields in pipe.redis.xrange(PAIRS.name))
    return {(message.epoch, message.pseq) for message in said}


def told_by(pipe: Pipeline) -> dict[str, bytes]:
    """What the log alone adds up to."""
    state: dict[str, bytes] = {}
    for _, fields in pipe.redis.xrange(PAIRS.name):
        message = PAIRS.decoder.decode(fields[FIELD])
        if isinstance(message, PairRetired):
            state.pop(message.pair_id, None)
        else:
            assert isinstance(message, PairActivated | PairSuspended)
            state[message.pair.pair_id] = fields[FIELD]
    return state


@pytest.mark.parametrize("after", [1, 400, 800])
def test_m07_a_matcher_killed_while_it_publishes_leaves_hash_and_log_alike_and_its_successor_completes_them(
    tmp_path: Path, redis_server: RedisServer, after: int
) -> None:
    redis_server.clear()
    games = many_games(GAMES)
    with pipeline(tmp_path, redis_server.url) as pipe:
        for market in games:
            payload = msgspec.json.encode(MarketListed(market=market))
            pipe.redis.hset(CATALOG[market.venue].hash_name, market.market_id, payload)
        environ = {"MATCHER_MAPPINGS_DIR": str(SHIPPED), "MATCHER_TEMPLATES_ON": "KXNBAGAME"}
        first = pipe.start("matcher", **environ)
        ends_s = time.monotonic() + 30
        while pipe.redis.xlen(PAIRS.name) < after:  # at once: all of it takes a few hundredths of a second
            assert time.monotonic() < ends_s, first.stderr[-2_000:]
        first.tell(signal.SIGKILL)
        first.ends()
        assert pipe.redis.xlen(PAIRS.name) < 2 * GAMES, "killed in the middle"
        assert held_by(pipe) == told_by(pipe)
        second = pipe.start("matcher", **environ)
        eventually(lambda: second.stderr.count('"catalog.loaded"') == 2, what=lambda: second.stderr[-2_000:])
        eventually(lambda: len(pipe.live_pairs()) == 2 * GAMES, what=lambda: len(pipe.live_pairs()))
        pipe.stop_all()
        assert held_by(pipe) == told_by(pipe)
        assert len(words_in(pipe)) == 2 * GAMES, "nothing was said twice"


# --- M08: a pair goes while an intent is in flight ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (PairSuspended(pair=PAIR, reason="rules have changed"), "pair_not_live"),
        (PairRetired(pair_id=PAIR.pair_id, reason="row removed"), "pair_not_live"),
        (PairActivated(pair=msgspec.structs.replace(PAIR, source="a newer review")), "pair_changed"),
    ],
)
async def test_m08_an_intent_in_flight_while_its_pair_goes_or_changes_is_refused_by_the_executor(
    redis_url: str, said: PairMessage, reason: str
) -> None:
    with short_folder() as folder:
        world = World(redis_url, folder)
        await world.furnish()
        meant = fresh_intent()
        await world.send(meant)
        payload = msgspec.json.encode(said)
        if isinstance(said, PairRetired):
            await world.redis.hdel(PAIRS.hash_name, said.pair_id)
        else:
            await world.redis.hset(PAIRS.hash_name, PAIR.pair_id, payload)
        await world.redis.xadd(PAIRS.name, {FIELD: payload})
        async with world.executor():
            [refused] = await world.wait_said(1)
        await world.redis.aclose()
    assert isinstance(refused, IntentRefused)
    assert (refused.intent_id, refused.reason) == (meant.intent_id, reason)
