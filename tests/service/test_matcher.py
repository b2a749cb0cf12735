"""The matcher as a process runs it, against a real Redis: catalogs and mapping files in, pairs out."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.matcher.atomic_files import write_atomically
from services.matcher.main import main
from services.matcher.mapping_files import load
from services.matcher.mapping_text import curated_yaml
from services.matcher.offline import read_pairs
from services.matcher.settings import Settings
from shared.contracts.alerts import OperationalAlert
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.contracts.funnel import PairDiverged
from shared.contracts.pairs import CandidateFound, PairActivated, PairRetired, PairSuspended
from shared.contracts.quotes import Quote
from shared.contracts.streams import ALERTS, CATALOG, DIVERGENCES, FIELD, PAIRS, Stream, book_key
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import Direction, Orientation, Pair
from shared.io.bus import Identity, Outbox, Profile, connect, load_latest
from shared.runtime.errors import SettingsRefused
from shared.runtime.redis_server import RedisServer
from tests.outboxes import writing
from tests.service.lost_message import lose
from tests.unit.matcher.listings import CONDITION, OTHER_CONDITION, kalshi, kalshi_game_side, moneyline, polymarket
from tests.unit.matcher.test_mappings import SHIPPED, row

WITHIN_S = 20.0
FAR = datetime(2099, 1, 1, tzinfo=UTC)


class Feeds:
    """Writes what the feeds would write and reads what the matcher says."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = connect(url, Profile.WRITER)
        self.outbox = Outbox(url, Identity("test", "test-1"))

    async def put(self, *markets: Market) -> None:
        for market in markets:
            self.outbox.put(CATALOG[market.venue], MarketListed(market=market), key=market.market_id)
        await self.outbox.flushed()

    async def change(self, market: Market, *fields: str) -> None:
        self.outbox.put(CATALOG[market.venue], MarketChanged(market=market, changed=fields), key=market.market_id)
        await self.outbox.flushed()

    async def close(self, market: Market, paid: str | None = None) -> None:
        """Say that a market is over, and what YES paid when that is known."""
        dollars = None if paid is None else Decimal(paid)
        message = MarketClosed(
            venue=market.venue, market_id=market.market_id, reason="determined", yes_paid_dollars=dollars
        )
        self.outbox.put(CATALOG[market.venue], message, key=market.market_id, drop_key=True)
        await self.outbox.flushed()

    async def said(self, stream: Stream[Any] = PAIRS) -> list[Any]:
        return [stream.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(stream.name)]

    async def held(self) -> dict[str, Any]:
        return (await load_latest(self.redis, PAIRS))[0]

    async def until(self, holds: Callable[[list[Any]], bool], stream: Stream[Any] = PAIRS) -> list[Any]:
        """Wait until what a stream holds fits, and return it."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                said = await self.said(stream)
                if holds(said):
                    return said
                await asyncio.sleep(0.01)


@pytest.fixture
async def feeds(redis_url: str) -> AsyncIterator[Feeds]:
    feeds = Feeds(redis_url)
    async with writing(feeds.outbox):
        yield feeds
    await feeds.redis.aclose()


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """The shipped folder with one curated row in it."""
    folder = tmp_path / "mappings"
    shutil.copytree(SHIPPED, folder)
    write_rows(folder, row(not_after=FAR))
    return folder


def write_rows(folder: Path, *rows: Any) -> None:
    write_atomically(folder / "pairs" / "economics.yaml", curated_yaml(rows))


@asynccontextmanager
async def running(url: str, mappings: Path, **changes: Any) -> AsyncIterator[None]:
    facts = {"templates_on": "KXNBAGAME", "debounce_ms": 5, "mappings_poll_ms": 20, "prices_poll_ms": 20} | changes
    settings = Settings(redis_url=url, mappings_dir=mappings, **facts)
    stopping = asyncio.Event()
    service = asyncio.create_task(main(settings, stopping))
    try:
        yield
    finally:
        stopping.set()
        async with asyncio.timeout(WITHIN_S):
            await service


FED = kalshi("KXFEDDECISION-26DEC-C25", "Will the Fed cut rates by 25bps in December 2026?", "Cut 25bps")
FED_THERE = polymarket(
    "Will the Fed cut rates by 25 bps in December 2026?", "fed-cut-25-december", event_slug="fed-decision-in-december"
)
HOUSTON, PORTLAND = kalshi_game_side("HOU", "Houston"), kalshi_game_side("POR", "Portland")
GAME = moneyline(market_id=MarketId(OTHER_CONDITION))
FILM = kalshi("KXOSCARPIC-27-GLA", "Will Glass Harbor win Best Picture in 2027?", "Glass Harbor")
FILM_THERE = polymarket("Will Glass Harbor win Best Picture in 2027?", market_id=MarketId("0x" + "ef" * 32))


def kinds(said: list[Any]) -> list[type]:
    return [type(message) for message in said]


async def test_a_market_whose_end_the_log_lost_ends_its_pair(feeds: Feeds, mappings: Path) -> None:
    async with running(feeds.url, mappings):
        await feeds.put(FED, FED_THERE)
        await feeds.until(lambda said: kinds(said) == [PairActivated])
        await feeds.put(PORTLAND)  # heard on the log, whether or not the first ones were there at the start
        closed = MarketClosed(venue=Venue.KALSHI, market_id=FED.market_id, reason="determined")
        await lose(feeds.outbox, feeds.redis, CATALOG[Venue.KALSHI], closed, key=FED.market_id, drop_key=True)
        await feeds.put(HOUSTON)
        await feeds.until(lambda said: bool(said) and not isinstance(said[-1], PairActivated))


async def test_what_a_crash_of_redis_took_back_is_said_again(feeds: Feeds, mappings: Path) -> None:
    """A suspension of its last second is gone, and what it remembers looks whole: as many pairs as there should be."""
    async with running(feeds.url, mappings):
        await feeds.put(FED, FED_THERE)
        [activated] = await feeds.until(lambda said: kinds(said) == [PairActivated])
        [number_key] = await feeds.redis.keys("arb:v1:outbox:matcher:*")
        number, pair_key = await feeds.redis.get(number_key), activated.pair.pair_id
        before = await feeds.redis.hgetall(PAIRS.hash_name)
        await feeds.change(msgspec.structs.replace(FED, rules_text="Something else."), "rules_text")
        await feeds.until(lambda said: isinstance(said[-1], PairSuspended))
        stranger = msgspec.json.encode(PairActivated(pair=msgspec.structs.replace(activated.pair, pair_id="stranger")))
        await feeds.redis.hset(PAIRS.hash_name, mapping={**before, "stranger": stranger})
        await feeds.redis.set(number_key, number)
        async with asyncio.timeout(WITHIN_S):
            while kinds(list((await feeds.held()).values())) != [PairSuspended]:  # noqa: ASYNC110 - a process repairs it
                await asyncio.sleep(0.01)
    assert (await feeds.held()).keys() == {pair_key}


async def test_catalogs_become_pairs_and_candidates_as_markets_arrive(feeds: Feeds, mappings: Path) -> None:
    await feeds.put(FED, HOUSTON)
    async with running(feeds.url, mappings):
        await feeds.put(FED_THERE)
        [curated] = await feeds.until(lambda said: len(said) == 1)
        await feeds.put(PORTLAND, GAME)
        games = (await feeds.until(lambda said: len(said) == 3))[1:]
        await feeds.put(FILM, FILM_THERE)
        candidate = (await feeds.until(lambda said: len(said) == 4))[3]
    assert isinstance(curated, PairActivated)
    assert (curated.src, curated.pair.origin, curated.pair.polymarket_id) == ("matcher", "curated", CONDITION)
    orientations = {message.pair.kalshi_ticker: message.pair.orientation for message in games}
    assert orientations == {HOUSTON.market_id: Orientation.SAME, PORTLAND.market_id: Orientation.INVERTED}
    assert isinstance(candidate, CandidateFound)
    states = [line.state for line in await read_pairs(feeds.url)]
    assert states == ["live", "live", "live", "candidate"]


async def test_a_changed_rule_text_suspends_its_pair_and_alerts_and_it_is_retired_when_both_results_agree(
    feeds: Feeds, mappings: Path
) -> None:
    await feeds.put(FED, FED_THERE)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: kinds(said) == [PairActivated])
        edited = polymarket(FED_THERE.title, FED_THERE.slug, event_slug=FED_THERE.event_slug, rules_text="Another text")
        await feeds.change(edited, "rules_text")
        [_, suspended] = await feeds.until(lambda said: kinds(said) == [PairActivated, PairSuspended])
        [alert] = await feeds.until(bool, ALERTS)
        assert [line.state for line in await read_pairs(feeds.url)] == ["suspended"]
        await feeds.close(FED)
        await feeds.until(lambda said: kinds(said)[2:] == [PairSuspended])
        [waiting] = (await feeds.held()).values()
        assert waiting.awaits == "results"
        await feeds.close(FED, "0")
        await feeds.close(FED_THERE, "0")
        said = await feeds.until(lambda said: kinds(said)[3:] == [PairRetired])
        assert said[-1].reason == "both venues settled alike: kalshi YES paid 0"
        assert await feeds.held() == {}
    assert "polymarket have changed since review" in suspended.reason
    assert isinstance(alert, OperationalAlert)
    assert alert.code == "matcher.pair_suspended"


async def test_a_restart_is_silent_when_nothing_changed(feeds: Feeds, mappings: Path) -> None:
    await feeds.put(FED, FED_THERE, HOUSTON, GAME, FILM, FILM_THERE)
    async with running(feeds.url, mappings):
        before = await feeds.until(lambda said: len(said) == 3)
    async with running(feeds.url, mappings):
        await feeds.put(PORTLAND)
        after = await feeds.until(lambda said: len(said) > 3)
    assert after[:3] == before
    [new] = after[3:]
    assert new.pair.kalshi_ticker == PORTLAND.market_id


async def test_a_redis_that_came_back_empty_is_told_the_pairs_again(
    feeds: Feeds, mappings: Path, redis_server: RedisServer
) -> None:
    await feeds.put(FED, FED_THERE, FILM, FILM_THERE)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: len(said) == 2)
        before = await feeds.held()
        redis_server.clear()
        await feeds.until(lambda said: len(said) == 2)
        after = await feeds.held()
    assert after.keys() == before.keys()
    [pair_id] = (key for key, message in after.items() if isinstance(message, PairActivated))
    assert after[pair_id].pair == before[pair_id].pair


async def test_what_happened_while_the_matcher_was_down_is_made_up_for(feeds: Feeds, mappings: Path) -> None:
    await feeds.put(FED, FED_THERE, HOUSTON, GAME)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: len(said) == 2)
    await feeds.close(GAME)
    write_rows(mappings)
    async with running(feeds.url, mappings):
        said = await feeds.until(lambda said: {PairRetired, PairSuspended} <= set(kinds(said)))
    [retired], [waiting] = of_kind(said, PairRetired), of_kind(said, PairSuspended)
    assert retired.pair_id == "fed-2026-12-cut-25", "its row is gone"
    assert (waiting.pair.pair_id, waiting.awaits) == ("nba-game-2026-11-22-hou-por-hou", "results")


def of_kind(said: list[Any], kind: type) -> list[Any]:
    return [message for message in said if isinstance(message, kind)]


async def test_a_mapping_edit_takes_effect_and_a_bad_one_keeps_the_last_good(feeds: Feeds, mappings: Path) -> None:
    await feeds.put(FED, FED_THERE)
    write_rows(mappings)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: kinds(said) == [CandidateFound])
        write_rows(mappings, row(not_after=FAR))
        await feeds.until(lambda said: PairActivated in kinds(said))
        good = await feeds.held()
        assert list(good) == ["fed-2026-12-cut-25"], "the candidate is decided and gone"

        path = mappings / "pairs" / "economics.yaml"
        path.write_text(path.read_text()[:-40])
        [alert] = await feeds.until(bool, ALERTS)
        assert (alert.code, alert.severity) == ("matcher.mappings_refused", "page")
        assert f"{path}:" in alert.detail
        assert await feeds.held() == good

        write_rows(mappings)
        await feeds.until(lambda said: PairRetired in kinds(said)[-2:])


async def test_m02_a_flip_without_a_new_review_is_refused_while_running(feeds: Feeds, mappings: Path) -> None:
    await feeds.put(FED, FED_THERE)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: kinds(said) == [PairActivated])
        write_rows(mappings, row(not_after=FAR, orientation=Orientation.INVERTED))
        [alert] = await feeds.until(bool, ALERTS)
        assert "changed without a newer review.verified_at" in alert.detail
        [pair] = (await feeds.held()).values()
        assert pair.pair.orientation is Orientation.SAME


async def quote(feeds: Feeds, pair: Pair, kalshi: str, polymarket: str) -> None:
    """Write both books as the feeds would, a cent on either side of the price."""
    for venue, price in ((Venue.KALSHI, kalshi), (Venue.POLYMARKET, polymarket)):
        bid, ask = (Decimal(price) + cents for cents in (Decimal("-0.01"), Decimal("0.01")))
        message = Quote(
            venue=venue,
            market_id=pair.market_id(venue),
            yes_bids=((bid, Decimal(100)),),
            yes_asks=((ask, Decimal(100)),),
            venue_ts_ms=0,
            received_ts_ns=1,
            published_ts_ns=1,
            verified="rest",
            connection="test",
            checksum=0,
        )
        key = book_key(venue.value, pair.market_id(venue), pair.partition)
        await feeds.redis.set(key, msgspec.json.encode(message))


async def test_prices_that_say_inversion_suspend_a_pair_until_a_newer_review_and_page(
    feeds: Feeds, mappings: Path
) -> None:
    await feeds.put(FED, FED_THERE)
    async with running(feeds.url, mappings, inverted_s=0):
        [active] = await feeds.until(lambda said: len(said) == 1)
        await quote(feeds, active.pair, "0.50", "0.50")
        await quote(feeds, active.pair, "0.72", "0.27")
        [_, suspended] = await feeds.until(lambda said: len(said) == 2)
        [alert] = await feeds.until(bool, ALERTS)
    assert suspended.awaits == "review"
    assert "the pair is inverted: YES stands at 0.720 on kalshi and at 0.270 on polymarket" in suspended.reason
    assert (alert.code, alert.severity) == ("matcher.pair_suspended", "page")
    await quote(feeds, active.pair, "0.50", "0.50")
    async with running(feeds.url, mappings):
        write_rows(mappings, row(not_after=FAR, verified_at=datetime(2026, 11, 22, 18, tzinfo=UTC)))
        said = await feeds.until(lambda said: len(said) == 3)
    assert kinds(said)[2:] == [PairActivated], "the restart said nothing, the review lifted it"


@pytest.mark.parametrize("is_this_version", [True, False])
async def test_a_pair_that_the_detector_found_diverged_is_suspended_in_the_version_that_was_meant(
    feeds: Feeds, mappings: Path, *, is_this_version: bool
) -> None:
    await feeds.put(FED, FED_THERE)
    async with running(feeds.url, mappings, inverted_s=0):
        [active] = await feeds.until(lambda said: len(said) == 1)
        found = PairDiverged(
            pair_id=active.pair.pair_id,
            pair_version=active.pair.version if is_this_version else "an older one",
            direction=Direction.YES_KALSHI_NO_POLYMARKET,
            edge_dollars_per_contract=Decimal("0.09"),
            least_dollars_per_contract=Decimal("0.08"),
            since_ts_ns=1,
            diverged_ts_ns=2,
        )
        await feeds.redis.hset(DIVERGENCES.hash_name, "unreadable", b"\xff")
        await feeds.redis.hset(DIVERGENCES.hash_name, found.pair_id, msgspec.json.encode(found))
        if is_this_version:
            [_, suspended] = await feeds.until(lambda said: len(said) == 2)
            assert suspended.awaits == "review"
            assert "it would have paid 0.08 per contract after fees all the time" in suspended.reason
        else:
            await quote(feeds, active.pair, "0.72", "0.27")
            [_, suspended] = await feeds.until(lambda said: len(said) == 2)
            assert "inverted" in suspended.reason, "what was looked at later is said, and the divergence is not"


async def test_results_that_differ_page_suspend_the_series_and_are_kept_among_the_mappings(
    feeds: Feeds, mappings: Path
) -> None:
    there = msgspec.structs.replace(FED_THERE, market_id=MarketId(OTHER_CONDITION), token_ids=("5", "6"), slug="hold")
    other = msgspec.structs.replace(FED, market_id=MarketId("KXFEDDECISION-26DEC-H0"), outcome_label="Hold")
    facts = {"yes_label": "Hold", "condition_id": OTHER_CONDITION, "market_slug": "hold", "token_ids": ("5", "6")}
    write_rows(mappings, row(not_after=FAR), row(pair_id="fed-hold", ticker=other.market_id, not_after=FAR, **facts))
    await feeds.put(FED, FED_THERE, other, there)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: kinds(said) == [PairActivated] * 2)
        await feeds.close(FED, "1")
        await feeds.close(FED_THERE, "0")
        said = await feeds.until(lambda said: PairRetired in kinds(said))
        [alert] = [one for one in await feeds.until(bool, ALERTS) if one.code == "matcher.settled_differently"]
        assert list(await feeds.held()) == ["fed-hold"]
    assert alert.severity == "page"
    [file] = (mappings / "disagreements").iterdir()
    assert file.name == "fed-2026-12-cut-25.yaml"
    [record] = load(mappings).disagreements
    assert record.kalshi.rules_text == FED.rules_text
    assert said[-1].reason == "the results differ: kept as a disagreement"
    async with running(feeds.url, mappings):
        await feeds.put(GAME, HOUSTON)
        await feeds.until(lambda said: isinstance(said[-1], PairActivated))
        [held] = [one for one in (await feeds.held()).values() if isinstance(one, PairSuspended)]
    assert held.pair.pair_id == "fed-hold", "the series stays suspended over a restart"


async def test_a_disagreement_that_cannot_be_written_pages_all_the_same_and_waits(feeds: Feeds, mappings: Path) -> None:
    (mappings / "disagreements").write_text("no folder")
    await feeds.put(FED, FED_THERE)
    async with running(feeds.url, mappings):
        await feeds.until(lambda said: kinds(said) == [PairActivated])
        await feeds.close(FED, "1")
        await feeds.close(FED_THERE, "0")
        await feeds.until(lambda said: "matcher.settled_differently" in [one.code for one in said], ALERTS)
        [held] = (await feeds.held()).values()
    assert held.awaits == "results", "a restart compares again"


async def test_a_mapping_error_at_start_is_refused_before_redis_is_asked(tmp_path: Path) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", mappings_dir=tmp_path / "nowhere")
    with pytest.raises(SettingsRefused, match="no such folder"):
        await main(settings, asyncio.Event())


@pytest.mark.parametrize(
    ("edit", "environ", "status", "said"),
    [
        ("pairs:\n  - pair: x\n", {}, 2, "pairs/bad.yaml:3: unknown key `pair`, correct or remove it"),
        ("pairs: *all\n", {}, 2, "pairs/bad.yaml:2: alias *all, write the value out instead"),
        ("pairs: []\n", {"MATCHER_TEMPLATES_ON": "KXNOPE"}, 2, "MATCHER_TEMPLATES_ON: no template for series KXNOPE"),
        ("pairs: []\n", {"MATCHER_DEBOUNCE_MS": "soon"}, 2, "MATCHER_DEBOUNCE_MS='soon'"),
        ("pairs: []\n", {}, 1, "Redis at redis://127.0.0.1:1/0 cannot be used"),
    ],
)
def test_a_process_that_cannot_start_says_why_in_one_line(
    mappings: Path, edit: str, environ: dict[str, str], status: int, said: str
) -> None:
    (mappings / "pairs" / "bad.yaml").write_text(f"schema_version: 1\n{edit}")
    ended = subprocess.run(
        [sys.executable, "-m", "services.matcher"],
        env={"PATH": os.environ["PATH"], "DUTCHBOOK_REDIS_URL": "redis://127.0.0.1:1/0"}
        | {"MATCHER_MAPPINGS_DIR": str(mappings)}
        | environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [("debounce_ms", -1), ("most_candidates", -1), ("mappings_poll_ms", 0)])
def test_a_pace_that_makes_no_sense_is_refused_by_its_variable(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"MATCHER_{name.upper()}={value}: expected"):
        msgspec.structs.replace(Settings(redis_url="unix:///run/redis.sock"), **{name: value})
