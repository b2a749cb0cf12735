"""Looking at a running system: ``scan`` against a real Redis, as people and scripts run it."""

import json
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
import redis

from shared.contracts.funnel import PairStanding
from shared.contracts.opportunities import OpportunityOpened
from shared.contracts.pairs import PairActivated, PairRetired
from shared.contracts.streams import FIELD, FUNNEL, OPPORTUNITIES, PAIRS
from shared.domain.pair import PairId
from shared.runtime.redis_server import start_private_redis
from tests.e2e.processes import Run, eventually, running
from tests.unit.arb_detector.scene import Scene, pair

HOSTILE = "\x1b[2JHouston\x07 at\r\nPortland"


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

    def say(self, stream: str, message: msgspec.Struct) -> None:
        """Append one message to a stream."""
        numbered = msgspec.structs.replace(message, epoch="a test", pseq=next(self._pseq))
        self.redis.xadd(stream, {FIELD: msgspec.json.encode(numbered)})


@pytest.fixture
def bus(redis_url: str) -> Iterator[Bus]:
    bus = Bus(redis_url)
    yield bus
    bus.redis.close()


def ended(folder: Path, *command: str, **environ: str) -> Run:
    """Run a command to its end."""
    with running("services.cli", *command, folder=folder, **environ) as run:
        run.ends()
        assert "raceback" not in run.stderr
        return run


def test_a_scan_prints_what_is_open_as_text_and_as_one_object(bus: Bus, tmp_path: Path) -> None:
    bus.put_pair()
    run = ended(tmp_path / "lines", "scan", "--once", DUTCHBOOK_REDIS_URL=bus.url)
    assert run.process.returncode == 0, run.stderr
    head, _, line = run.stdout.splitlines()
    assert head.startswith("1 live pair, 0 baskets, 1 open; ")
    assert line.startswith("OPEN  hou-por  ")
    assert "\\u001b[2JHouston\\u0007 at" in line
    run = ended(tmp_path / "json", "scan", "--once", "--json", DUTCHBOOK_REDIS_URL=bus.url)
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
    first, second, gone = (json.loads(line) for line in run.stdout.splitlines())
    assert [(row["id"], row["state"]) for row in (first, second, gone)] == [
        ("hou-por", "open"),
        ("second", "watched"),
        ("second", "gone"),
    ]
    assert run.stderr == ""


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


@pytest.mark.parametrize("words", [("scan",), ("scan", "--once"), ("scan", "--once", "--json")])
def test_a_scan_of_nothing_is_one_clear_line(bus: Bus, tmp_path: Path, words: tuple[str, ...]) -> None:
    run = ended(tmp_path, *words, DUTCHBOOK_REDIS_URL=bus.url)
    assert (run.process.returncode, run.stdout) == (1, "")
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
@pytest.mark.parametrize("words", [("scan", "--once")])
def test_without_redis_looking_is_one_line_that_names_the_setting(
    tmp_path: Path, words: tuple[str, ...], url: str, status: int, says: str
) -> None:
    run = ended(tmp_path, *words, DUTCHBOOK_REDIS_URL=url)
    assert (run.process.returncode, run.stdout) == (status, "")
    [line] = run.stderr.splitlines()
    assert line.startswith("dutchbook: ")
    assert says in line
    assert "secret" not in line
