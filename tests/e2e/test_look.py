"""Looking at a running system: ``scan`` and ``book`` against a real Redis, as people and scripts run them."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import redis

from services.cli.main import main
from shared.contracts.funnel import PairStanding
from shared.contracts.health import FeedBeat
from shared.contracts.opportunities import OpportunityOpened
from shared.contracts.pairs import PairActivated, PairRetired
from shared.contracts.streams import FEED_HEALTH, FIELD, FUNNEL, OPPORTUNITIES, PAIRS, book_key
from shared.domain.market import Venue
from shared.domain.pair import PairId
from shared.runtime.redis_server import start_private_redis
from tests.e2e.processes import running
from tests.unit.arb_detector.scene import CONDITION, TICKER, Scene, pair
from tests.waiting import eventually

HOSTILE = "\x1b[2JHouston\x07 at\r\nPortland"

BEAT = FeedBeat(
    venue=Venue.KALSHI,
    connection="kalshi-1",
    state="live",
    markets=1,
    books_live=1,
    frame_age_ms=5,
    data_age_ms=5,
    sent_ts_ns=0,
)


class Bus:
    """A Redis and what a test puts on it: one live pair with an open opportunity."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = redis.Redis.from_url(url)
        self.scene = Scene(the_pair=pair(title=HOSTILE))
        self._pseq = count(1)

    def put_pair(self) -> None:
        """Put the pair, its standing and its open episode where the services would."""
        self.scene.offer()
        self.scene.tick(after_ms=60)
        [opened] = [message for message in self.scene.said if isinstance(message, OpportunityOpened)]
        [standing] = [message for message in self.scene.detector.sweep() if isinstance(message, PairStanding)]
        pair_id, now_ns = self.scene.pair.pair_id, time.time_ns()
        opened = msgspec.structs.replace(opened, opened_ts_ns=now_ns)
        standing = msgspec.structs.replace(standing, since_ts_ns=now_ns, as_of_ts_ns=now_ns)
        activated = PairActivated(pair=self.scene.pair)
        for stream, key, message in (
            (PAIRS, pair_id, activated),
            (FUNNEL, pair_id, standing),
            (OPPORTUNITIES, f"{pair_id}|{opened.direction}", opened),
        ):
            self.redis.hset(stream.hash_name, key, msgspec.json.encode(message))

    def put_books(self) -> None:
        """Put Kalshi's book and the withdrawal of Polymarket's where the feeds would; the withdrawal elsewhere too."""
        part, now_ns = self.scene.pair.partition, time.time_ns()
        kalshi = msgspec.structs.replace(self.scene.kalshi(), received_ts_ns=now_ns, published_ts_ns=now_ns)
        stale = msgspec.structs.replace(self.scene.stale(Venue.POLYMARKET, HOSTILE), published_ts_ns=now_ns)
        self.redis.set(book_key("kalshi", TICKER, part), msgspec.json.encode(kalshi))
        for at in (part, (part + 1) % 16):
            self.redis.set(book_key("polymarket", CONDITION, at), msgspec.json.encode(stale))
        self.say(FEED_HEALTH.name, msgspec.structs.replace(BEAT, sent_ts_ns=now_ns))

    def lose_one(self) -> None:
        """Let a message go missing."""
        next(self._pseq)

    def say(self, stream: str, message: msgspec.Struct) -> None:
        """Append one message to a stream."""
        numbered = msgspec.structs.replace(message, epoch="a test", pseq=next(self._pseq))
        self.redis.xadd(stream, {FIELD: msgspec.json.encode(numbered)})


@pytest.fixture
def bus(redis_url: str) -> Iterator[Bus]:
    bus = Bus(redis_url)
    yield bus
    bus.redis.close()


class Said(NamedTuple):
    """What a command said, and how it ended."""

    status: int
    stdout: str
    stderr: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, from the program's own door to its exit status."""

    def run(*words: str, url: str) -> Said:
        monkeypatch.setenv("DUTCHBOOK_REDIS_URL", url)
        monkeypatch.delenv("DUTCHBOOK_REDIS_PASSWORD_FILE", raising=False)
        monkeypatch.setattr(sys, "argv", ["dutchbook", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, said.out, said.err)

    return run


def test_a_scan_prints_what_is_open_as_text_and_as_one_object(bus: Bus, command: Command) -> None:
    bus.put_pair()
    run = command("scan", "--once", url=bus.url)
    assert run.status == 0, run.stderr
    head, _, line = run.stdout.splitlines()
    assert head.startswith("1 live pair, 0 baskets, 1 open; ")
    assert line.startswith("OPEN  hou-por  ")
    assert "\\u001b[2JHouston\\u0007 at" in line
    run = command("scan", "--once", "--json", url=bus.url)
    [line] = run.stdout.splitlines()
    scan = json.loads(line)
    assert scan["counts"] == {"pairs": 1, "baskets": 0, "open": 1, "suspended": 0, "candidates": 0}
    [row] = scan["rows"]
    assert (row["id"], row["title"], row["direction"]) == ("hou-por", HOSTILE, "yes_kalshi_no_polymarket")
    assert row["edge_dollars_per_contract"] == "0.030612"
    assert row["opportunities"][0]["contracts"] == "150"


def test_a_scan_follows_changes_until_ctrl_c(bus: Bus, tmp_path: Path) -> None:
    bus.put_pair()
    with running("services.cli", "scan", "--json", folder=tmp_path, DUTCHBOOK_REDIS_URL=bus.url) as run:
        eventually(lambda: len(run.stdout.splitlines()) == 1, what=lambda: run.stderr)
        bus.say(PAIRS.name, PairActivated(pair=pair(pair_id=PairId("second"))))
        eventually(lambda: len(run.stdout.splitlines()) == 2, what=lambda: run.stderr)
        bus.say(PAIRS.name, PairRetired(pair_id=PairId("second"), reason="over"))
        eventually(lambda: len(run.stdout.splitlines()) == 3, what=lambda: run.stderr)
        run.tell(signal.SIGINT)
        assert run.ends() == 0
    assert run.stderr == ""
    first, second, gone = (json.loads(line) for line in run.stdout.splitlines())
    assert [(row["id"], row["state"]) for row in (first, second, gone)] == [
        ("hou-por", "open"),
        ("second", "watched"),
        ("second", "gone"),
    ]


def test_a_scan_that_missed_messages_reads_the_whole_state_again(bus: Bus, tmp_path: Path) -> None:
    bus.put_pair()
    with running("services.cli", "scan", "--json", folder=tmp_path, DUTCHBOOK_REDIS_URL=bus.url) as run:
        eventually(lambda: run.stdout, what=lambda: run.stderr)
        bus.say(PAIRS.name, PairActivated(pair=pair(pair_id=PairId("second"))))
        eventually(lambda: '"second"' in run.stdout, what=lambda: run.stderr)
        third = PairActivated(pair=pair(pair_id=PairId("third")))
        bus.redis.hset(PAIRS.hash_name, "third", msgspec.json.encode(third))
        bus.lose_one()
        bus.say(PAIRS.name, PairActivated(pair=pair(pair_id=PairId("fourth"))))
        eventually(lambda: '"third"' in run.stdout and '"gone"' in run.stdout, what=lambda: run.stdout)
        run.tell(signal.SIGINT)
        assert run.ends() == 0
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert {row["id"]: row["state"] for row in rows} == {"hou-por": "open", "second": "gone", "third": "watched"}


def test_a_scan_outlives_redis_and_says_so_once(tmp_path: Path) -> None:
    with start_private_redis() as server:
        bus = Bus(server.url)
        bus.put_pair()
        bus.redis.close()
        with running("services.cli", "scan", folder=tmp_path, DUTCHBOOK_REDIS_URL=server.url) as run:
            eventually(lambda: run.stdout, what=lambda: run.stderr)
            server.stop()
            eventually(lambda: "Redis does not answer; waiting for it" in run.stderr)
            run.tell(signal.SIGINT)
            assert run.ends() == 0
    assert run.stderr.splitlines() == ["Redis does not answer; waiting for it"]


def test_both_books_of_a_pair_are_shown_and_a_market_alone(bus: Bus, command: Command) -> None:
    bus.put_pair()
    bus.put_books()
    run = command("book", "hou-por", "--levels", "1", url=bus.url)
    assert run.status == 0, run.stderr
    assert "YES ask   0.4100 x 100" in run.stdout
    assert "connection kalshi-1: live, beat " in run.stdout
    assert "!!! WITHDRAWN " in run.stdout
    assert "\\u001b[2JHouston" in run.stdout
    run = command("book", "hou-por", "--json", url=bus.url)
    kalshi, polymarket = json.loads(run.stdout)["legs"]
    assert (kalshi["state"], kalshi["yes_asks"][0]) == ("quoted", ["0.41", "100"])
    assert (polymarket["state"], polymarket["reason"]) == ("withdrawn", HOSTILE)
    run = command("book", CONDITION, "--json", url=bus.url)
    books = json.loads(run.stdout)
    assert (books["state"], [leg["state"] for leg in books["legs"]]) == ("market", ["withdrawn"])


def test_the_book_of_nobody_is_one_clear_line(bus: Bus, command: Command) -> None:
    run = command("book", HOSTILE, url=bus.url)
    assert (run.status, run.stdout) == (1, "")
    [line] = run.stderr.splitlines()
    assert line.startswith("dutchbook: there is no pair '\\x1b[2JHouston")


@pytest.mark.parametrize("words", [("scan",), ("scan", "--once"), ("scan", "--once", "--json")])
def test_a_scan_of_nothing_is_one_clear_line(bus: Bus, command: Command, words: tuple[str, ...]) -> None:
    run = command(*words, url=bus.url)
    assert (run.status, run.stdout) == (1, "")
    [line] = run.stderr.splitlines()
    assert line.startswith("dutchbook: no pair or basket is live (0 live pairs, ")


@pytest.mark.parametrize(
    ("url", "status", "says"),
    [
        ("", 2, "DUTCHBOOK_REDIS_URL is not set"),
        ("banana", 2, "expected an address"),
        ("redis://:secret@127.0.0.1:1/0", 1, "check DUTCHBOOK_REDIS_URL"),
    ],
)
@pytest.mark.parametrize("words", [("scan", "--once"), ("book", "hou-por")])
def test_without_redis_looking_is_one_line_that_names_the_setting(
    command: Command, words: tuple[str, ...], url: str, status: int, says: str
) -> None:
    run = command(*words, url=url)
    assert (run.status, run.stdout) == (status, "")
    [line] = run.stderr.splitlines()
    assert line.startswith("dutchbook: ")
    assert says in line
    assert "secret" not in line
