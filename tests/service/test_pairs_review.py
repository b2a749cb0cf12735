"""``dutchbook pairs review`` as people and scripts run it, against a real Redis and real files."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from services.matcher.candidates import candidate_message
from services.matcher.mapping_files import load
from services.matcher.mapping_text import curated_yaml
from services.matcher.review_files import _LOCK as LOCK
from services.matcher.verdict import match
from shared.contracts.catalog import MarketListed
from shared.contracts.pairs import PairActivated, PairSuspended
from shared.contracts.streams import CATALOG, PAIRS
from shared.domain.market import Market
from tests.e2e.processes import clean_environ
from tests.unit.matcher.listings import CONDITION, OTHER_CONDITION, kalshi, polymarket
from tests.unit.matcher.test_core import fed, fed_there, settled, started, with_rows
from tests.unit.matcher.test_mappings import SHIPPED, row
from tests.waiting import GRACE_S, eventually

ENDS = datetime(2099, 12, 9, 19, tzinfo=UTC)
HOSTILE = "\x1b[2J\x1b]0;owned\x07Resolves\u202e seY ot\r\nYes\x00 \x9b31m [[not ours]] {% x %} \u2028 end"
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]")


class Desk:
    """A folder of mappings and a Redis with two listings on it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.redis = redis.Redis.from_url(url)
        self.folder = folder
        self.environ = clean_environ(DUTCHBOOK_REDIS_URL=url, COLUMNS="120")

    def put(self, ours: Market, there: Market) -> str:
        """Put two listings and their candidate on the bus and return the candidate's id."""
        for market in (ours, there):
            payload = msgspec.json.encode(MarketListed(market=market))
            self.redis.hset(CATALOG[market.venue].hash_name, market.market_id, payload)
        found = candidate_message(ours, there, match(ours, there))
        self.redis.hset(PAIRS.hash_name, found.pair_id, msgspec.json.encode(found))
        return found.pair_id

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "services.cli", "pairs", *words, "--folder", str(self.folder)]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GRACE_S,
            check=False,
        )

    def says(self, *words: str) -> Any:
        ended = self.run(*words, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def rows(self) -> dict[str, Any]:
        return {pair_id: placed.row for pair_id, placed in load(self.folder).rows.items()}


@pytest.fixture
def desk(redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    folder = tmp_path / "mappings"
    shutil.copytree(SHIPPED, folder)
    desk = Desk(redis_url, folder)
    yield desk
    desk.redis.close()


def test_a_script_reads_the_queue_approves_and_is_told_file_and_line(desk: Desk) -> None:
    candidate = desk.put(fed(expected_expiration_time=ENDS), fed_there())
    [case] = desk.says("review")["cases"]
    assert (case["pair_id"], case["state"]) == (candidate, "candidate")
    assert case["version"].startswith("new-")
    assert case["kalshi"]["rules_text"] == fed().rules_text
    written = desk.says("review", candidate, "--approve", "--by", "alice", "--note", "read", "--category", "economics")
    assert (written["status"], written["verified_by"], written["line"]) == ("approved", "alice", 3)
    [approved] = desk.rows().values()
    assert approved.review.note == "read"
    matcher, changes = started(with_rows(approved), fed(), fed_there())
    assert isinstance(changes[0].message, PairActivated), "what was written makes a live pair"
    assert matcher.live_pairs


def test_one_unreadable_listing_is_named_and_keeps_nobody_from_the_other_cases(desk: Desk) -> None:
    spoiled = kalshi("KXOTHER-1", "Will the Fed cut rates by 25bps in January 2027?", "Cut 25bps")
    there = polymarket("Will the Fed cut rates by 25 bps in January 2027?", market_id=OTHER_CONDITION)
    lost = desk.put(spoiled, there)
    shown = desk.put(fed(), fed_there())
    desk.redis.hset(CATALOG[spoiled.venue].hash_name, spoiled.market_id, b'{"type":"MarketListed","market":{"venue":')

    said = desk.says("review")
    assert [case["pair_id"] for case in said["cases"]] == [shown]
    [named] = said["unreadable"]
    assert named.startswith(f"{lost}: what the bus holds about kalshi KXOTHER-1 cannot be read")
    ended = desk.run("review")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 1)
    assert "not shown" in ended.stderr
    assert "KXOTHER-1" in ended.stderr
    refused = desk.run("review", lost)
    assert refused.returncode == 1
    assert "cannot be read" in refused.stderr


def test_a_rejected_pair_is_kept_and_leaves_the_queue(desk: Desk) -> None:
    candidate = desk.put(fed(expected_expiration_time=ENDS), fed_there())
    ended = desk.run("reject", candidate, "--by", "alice", "--note", "another meeting")
    assert ended.returncode == 0, ended.stderr
    [rejected] = desk.rows().values()
    assert (rejected.status, rejected.relation) == ("rejected", "different")
    _, changes = started(with_rows(rejected), fed(), fed_there())
    assert changes == []


def test_what_is_refused_is_one_line_with_status_1_and_nothing_is_written(desk: Desk) -> None:
    candidate = desk.put(fed(), fed_there())
    for words, said in (
        ((candidate, "--approve", "--by", "alice"), "give --not-after"),
        ((candidate, "--approve"), "name the reviewer with --by"),
        (("nothing-such", "--approve", "--by", "alice"), "there is no pair 'nothing-such'"),
        ((f"KXNONE-1~{CONDITION}", "--approve", "--by", "alice"), "kalshi does not list KXNONE-1 now"),
        ((candidate, "--reject", "--by", "alice", "--seen", "0123456789ab"), "look at it again"),
        ((candidate, "--reject", "--by", "alice", "--category", "../film"), "category '../film' is not"),
    ):
        ended = desk.run("review", *words)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    assert desk.rows() == {}
    assert desk.run("review", candidate, "--approve", "--reject", "--by", "a").returncode == 2
    assert desk.run("review", "--approve", "--by", "a").returncode == 2


def test_a_pair_that_was_never_proposed_can_be_named_by_its_two_markets(desk: Desk) -> None:
    desk.put(fed(expected_expiration_time=ENDS), fed_there())
    desk.redis.delete(PAIRS.hash_name)
    name = f"{fed().market_id}~{CONDITION}"
    written = desk.says("review", name, "--approve", "--by", "alice", "--invert", "--max-notional", "250")
    assert (written["status"], written["orientation"]) == ("approved", "inverted")


def test_a_suspended_pair_is_in_the_queue_and_a_new_review_makes_it_live_again(desk: Desk) -> None:
    (desk.folder / "pairs" / "economics.yaml").write_text(curated_yaml([row()]))
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    edited = fed(rules_text="Yes if it is so, or if it nearly is.")
    matcher.put(edited)
    [change] = settled(matcher)
    assert isinstance(change.message, PairSuspended)
    desk.put(edited, fed_there())
    desk.redis.delete(PAIRS.hash_name)
    desk.redis.hset(PAIRS.hash_name, change.pair_id, msgspec.json.encode(change.message))
    [case] = desk.says("review")["cases"]
    assert case["state"] == "suspended"
    assert "have changed since review" in case["reason"]
    approval = ("review", change.pair_id, "--approve", "--by", "bob", "--seen", case["version"])
    desk.put(fed(rules_text="Yes if it is so, unless it is not."), fed_there())
    late = desk.run(*approval)
    assert (late.returncode, late.stdout) == (1, ""), "a text that changed while it was read is not approved"
    assert "look at it again" in late.stderr
    desk.put(edited, fed_there())
    desk.says(*approval)
    matcher.use(load(desk.folder))
    [again] = settled(matcher)
    assert isinstance(again.message, PairActivated)
    assert again.message.pair.source.startswith("pairs/economics.yaml (bob, ")


def test_weather_is_only_approved_by_two_people(desk: Desk) -> None:
    ours = kalshi("KXHIGHNY-26NOV23-T50", "Will the high temp in NYC be above 50°?", expected_expiration_time=ENDS)
    there = polymarket("Will the highest temperature in NYC be above 50°F?", "highest-temperature-in-nyc-above-50")
    name = f"{ours.market_id}~{there.market_id}"
    desk.put(ours, there)
    first = desk.says("review", name, "--approve", "--by", "alice", "--note", "same station and report")
    assert (first["status"], first["needs_two_readers"]) == ("needs_review", "category weather")
    again = desk.run("review", name, "--approve", "--by", "alice")
    assert again.returncode == 1
    assert "alice has approved it already" in again.stderr
    second = desk.says("review", name, "--approve", "--by", "bob")
    assert (second["status"], second["verified_by"], second["second_reviewer"]) == ("approved", "alice", "bob")


def test_of_two_commands_at_once_one_writes_and_the_other_is_told(desk: Desk) -> None:
    candidate = desk.put(fed(expected_expiration_time=ENDS), fed_there())
    with held_lock(desk.folder):
        both = [
            subprocess.Popen(
                desk.command("review", candidate, word, "--by", by, "--note", by),
                env=desk.environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for word, by in (("--approve", "alice"), ("--reject", "bob"))
        ]
        eventually(lambda: waiting_for_lock(desk.folder) == {process.pid for process in both})
    outcomes = sorted((process.wait(GRACE_S), *process.communicate()) for process in both)
    assert [status for status, _, _ in outcomes] == [0, 1]
    [kept] = desk.rows().values()
    assert f"{kept.review.verified_by} has marked {kept.pair_id} as {kept.status}" in outcomes[1][2]
    assert "nothing of yours is written" in outcomes[1][2]
    assert not list((desk.folder / "pairs").glob(".*")), "nothing is left behind"


@contextmanager
def held_lock(folder: Path) -> Iterator[None]:
    import fcntl

    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def waiting_for_lock(folder: Path) -> set[int]:
    """The processes that have the lock file open, other than this one."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == folder / LOCK:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found - {os.getpid()}


# --- on a terminal --------------------------------------------------------------------------------------------------


class Terminal:
    """The command on a terminal, as a person sees it."""

    def __init__(self, desk: Desk, *words: str) -> None:
        self.seen = ""
        self._main, inner = pty.openpty()
        self.process = subprocess.Popen(
            desk.command(*words), env=desk.environ, stdin=inner, stdout=inner, stderr=inner, close_fds=True
        )
        os.close(inner)

    def until(self, text: str) -> str:
        """Read until ``text`` has come, and return everything since the last call."""
        ends_s = time.monotonic() + GRACE_S
        while text not in self.seen:
            assert time.monotonic() < ends_s, self.seen
            if select.select([self._main], [], [], 0.1)[0]:
                self.seen += self._read()
        shown, _, self.seen = self.seen.partition(text)
        return shown

    def type(self, text: str) -> None:
        os.write(self._main, f"{text}\n".encode())

    def rest(self) -> str:
        while chunk := self._read():
            self.seen += chunk
        os.close(self._main)
        assert self.process.wait(GRACE_S) == 0
        return self.seen

    def _read(self) -> str:
        try:
            return os.read(self._main, 65_536).decode(errors="replace")
        except OSError:
            return ""


def test_a_person_turns_a_pair_round_notes_and_approves(desk: Desk) -> None:
    desk.put(fed(expected_expiration_time=ENDS), fed_there())
    terminal = Terminal(desk, "review", "--by", "alice")
    shown = terminal.until("q quit]: ")
    assert "KALSHI" in shown
    assert "time to resolution: " in shown
    assert "kalshi YES [Cut 25bps] pays when polymarket [Yes] pays" in shown
    terminal.type("i")
    terminal.until("alice (turned round) [")
    terminal.type("n")
    terminal.until("note: ")
    terminal.type("the labels are swapped there")
    terminal.until("q quit]: ")
    terminal.type("a")
    assert "is approved (inverted) in " in terminal.rest()
    [approved] = desk.rows().values()
    assert (approved.orientation, approved.review.note) == ("inverted", "the labels are swapped there")


def test_skipping_and_quitting_write_nothing(desk: Desk) -> None:
    desk.put(fed(expected_expiration_time=ENDS), fed_there())
    terminal = Terminal(desk, "review")
    terminal.until("q quit]: ")
    terminal.type("what")
    terminal.until("q quit]: ")
    terminal.type("s")
    terminal.rest()
    assert desk.rows() == {}


def test_hostile_texts_reach_the_terminal_as_text_alone(desk: Desk) -> None:
    ours = fed(rules_text=HOSTILE, event_title=HOSTILE, resolution_source=HOSTILE, expected_expiration_time=ENDS)
    there = fed_there(rules_text=HOSTILE + " more", outcomes=("Yes\x1b[31m", "No\u202e"))
    desk.put(ours, there)
    terminal = Terminal(desk, "review", "--by", "alice")
    shown = terminal.until("q quit]: ").replace("\r\n", "\n")
    assert not ESCAPES.search(shown), ascii(ESCAPES.search(shown))
    assert "\\u001b[2J" in shown
    assert "\\u202e" in shown
    terminal.type("q")
    terminal.rest()
    for words in (("review",), ("review", f"{fed().market_id}~{CONDITION}")):
        ended = desk.run(*words)
        assert ended.returncode == 0, ended.stderr
        assert not ESCAPES.search(ended.stdout)


def test_rule_texts_stand_side_by_side_with_their_differences_marked(desk: Desk) -> None:
    ours = fed(
        rules_text="If the Fed cuts by 25 basis points at its December meeting, this resolves to Yes.",
        expected_expiration_time=ENDS,
    )
    there = fed_there(rules_text="If the Fed cuts by 25 or more basis points at its December meeting, this is a Yes.")
    shown = desk.run("review", desk.put(ours, there)).stdout
    left, right = zip(*(line.split(" | ") for line in shown.splitlines() if " | " in line), strict=True)
    assert "by 25 basis points at" in " ".join(" ".join(left).split())
    assert "by 25 [[or more]] basis points at" in " ".join(" ".join(right).split())
    assert all(len(line) <= 119 for line in shown.splitlines())


def test_a_note_is_shown_to_the_next_reader(desk: Desk) -> None:
    candidate = desk.put(fed(expected_expiration_time=ENDS), fed_there())
    desk.says("review", candidate, "--note", "wait for the statement", "--by", "alice")
    [noted] = desk.rows().values()
    assert noted.status == "needs_review"
    assert "wait for the statement" in desk.run("review", noted.pair_id).stdout
