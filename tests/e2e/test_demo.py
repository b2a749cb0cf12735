"""``dutchbook demo`` as a user runs it: what it prints, what it finds, and that it leaves nothing behind."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.stack import SERVICES
from tests.e2e.processes import Run, needs_proc, running, short_folder
from tests.waiting import eventually

SHAPE = {
    "seed": None,
    "venues": {"kalshi": {"markets": None, "frames": None}, "polymarket": {"markets": None, "frames": None}},
    "pairs": {"live": None, "candidates": None},
    "quotes": None,
    "opportunities": {"expected": None, "found": None, "missed": None, "false": None},
    "intents": {"emitted": None, "filled": None, "refused": None},
    "alerts": {"sent": None},
    "latency_ms": {"wire_to_intent_p50": None, "wire_to_intent_p99": None},
}
"""What ``demo --json`` is documented to print."""
EVERY_BOOK = re.compile(r"\b([1-9][0-9]*) of \1 pairs live, 0 books missing")
STOP_S = 15.0
"""Ten seconds are promised; a busy machine gets five more."""


@contextmanager
def demo(tmp_path: Path, *options: str) -> Iterator[tuple[Run, Path]]:
    """A demo and the folder of all its temporary files."""
    with (
        short_folder() as temporary,
        running("services.cli", "demo", *options, folder=tmp_path, TMPDIR=str(temporary)) as run,
    ):
        yield run, temporary


def shape_of(value: object) -> object:
    return {key: shape_of(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def assert_nothing_is_left(run: Run, temporary: Path) -> None:
    assert run.is_gone_with_everything(within_s=STOP_S), run.family()
    assert list(temporary.iterdir()) == []


def test_a_short_demo_finds_fills_and_alerts_misses_nothing_and_prints_one_json_object(tmp_path: Path) -> None:
    needs_proc()
    with demo(tmp_path, "--duration", "6", "--json", "--seed", "3") as (run, temporary):
        status = run.ends(within_s=100)
        assert status == 0, run.stderr
        assert_nothing_is_left(run, temporary)
    [line] = run.stdout.splitlines()
    summary = json.loads(line)
    assert shape_of(summary) == SHAPE
    assert summary["seed"] == 3
    assert summary["opportunities"]["missed"] == summary["opportunities"]["false"] == 0
    assert summary["opportunities"]["found"] >= 1
    assert summary["intents"]["filled"] >= 1
    assert summary["alerts"]["sent"] >= 1
    assert summary["quotes"] >= 2 * summary["pairs"]["live"]
    assert 0 < summary["latency_ms"]["wire_to_intent_p50"] <= summary["latency_ms"]["wire_to_intent_p99"]
    assert "Traceback" not in run.stderr


def test_ctrl_c_ends_a_demo_with_a_summary_for_people_and_nothing_is_left(tmp_path: Path) -> None:
    needs_proc()
    with demo(tmp_path) as (run, temporary):
        eventually(lambda: EVERY_BOOK.search(run.stderr), what=lambda: run.stderr)
        assert set(SERVICES) < run.services()
        run.tell(signal.SIGINT)
        status = run.ends(within_s=STOP_S)
        assert status == 0, run.stderr
        assert_nothing_is_left(run, temporary)
    assert [line.split()[0] for line in run.stdout.splitlines()] == [
        *("kalshi", "polymarket", "pairs", "quotes", "edges", "intents", "alerts", "latency")
    ]
    assert "0 missed, 0 false" in run.stdout
    assert "Traceback" not in run.stderr


def test_ctrl_c_while_everything_starts_is_one_clear_line_and_nothing_is_left(tmp_path: Path) -> None:
    needs_proc()
    with demo(tmp_path, "--json") as (run, temporary):
        eventually(lambda: "venue_sim" in run.services(), what=lambda: run.stderr)
        run.tell(signal.SIGINT)
        assert run.ends(within_s=STOP_S) == 1
        assert_nothing_is_left(run, temporary)
    assert run.stdout == ""
    assert run.stderr.splitlines() == ["dutchbook: interrupted before everything was up"]


def test_a_demo_that_is_killed_takes_every_service_and_the_redis_server_with_it(tmp_path: Path) -> None:
    needs_proc()
    with demo(tmp_path, "--json") as (run, _):
        eventually(lambda: set(SERVICES) < run.services(), what=lambda: run.stderr)
        run.tell(signal.SIGKILL)
        assert run.ends() == -signal.SIGKILL
        assert run.is_gone_with_everything(within_s=STOP_S), run.family()
