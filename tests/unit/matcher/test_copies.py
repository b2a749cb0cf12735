"""Work that is shared out among copies of a process is done once, ends with the process, and never ends in silence."""

import gc
import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from services.matcher.copies import CopyFailed, share_out

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

PATIENCE_S = 30
WITH_A_PARENT = """
import os, sys
from services.matcher.copies import share_out

started, go, parent = int(sys.argv[1]), int(sys.argv[2]), os.getpid()

def work(number):
    if os.getpid() != parent:
        os.write(started, b"c")
    os.read(go, 1)

share_out(work, 2_000, processes=2)
"""


def test_every_portion_is_done_once_and_answered_in_order() -> None:
    done = share_out(lambda number: number * number, 500, processes=3)
    assert done.results == [number * number for number in range(500)]
    assert done.memory.held_bytes > 0
    assert done.memory.resident_bytes > 0


@pytest.mark.parametrize("processes", [1, 4])
def test_no_portions_are_no_results(processes: int) -> None:
    assert share_out(lambda number: number, 0, processes=processes).results == []


def test_two_processes_work_at_the_same_time_on_what_this_one_holds() -> None:
    held = {number: f"listing {number}" for number in range(2)}
    met = meeting()

    def work(number: int) -> tuple[str, int]:
        met()
        return held[number], os.getpid()

    (first, one), (second, other) = share_out(work, 2, processes=2).results
    assert (first, second) == ("listing 0", "listing 1")
    assert one != other
    assert os.getpid() in (one, other)


def test_a_copy_that_dies_is_an_error_that_names_it() -> None:
    with pytest.raises(CopyFailed, match=r"process [0-9]+, .* ended with exit status -9 before it answered"):
        share_out(only_in_a_copy(lambda: os.kill(os.getpid(), signal.SIGKILL)), 2, processes=2)


def test_a_copy_that_fails_is_an_error_that_says_where() -> None:
    def fail() -> None:
        raise ValueError("the third listing has no title")

    with pytest.raises(CopyFailed, match=r"process [0-9]+, (.|\n)*in fail(.|\n)*the third listing has no title"):
        share_out(only_in_a_copy(fail), 2, processes=2)


def test_when_this_process_fails_its_copies_are_ended() -> None:
    ours, (alive, held_open) = os.getpid(), os.pipe()
    met = meeting()

    def work(_: int) -> None:
        met()
        if os.getpid() == ours:
            raise ValueError("no room left")
        signal.pause()

    with pytest.raises(ValueError, match="no room left"):
        share_out(work, 2, processes=2)
    os.close(held_open)
    assert is_closed_by_all(alive)


def test_a_copy_ends_when_its_parent_is_killed() -> None:
    hears_start, started = os.pipe()
    go, let_go = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", WITH_A_PARENT, str(started), str(go)],
        pass_fds=(started, go),
        cwd=Path(__file__).parents[3],
    )
    os.close(started)
    os.close(go)
    assert select.select([hears_start], [], [], PATIENCE_S)[0], "the copy did not start"
    parent.kill()
    parent.wait()
    os.write(let_go, b"12")
    while select.select([hears_start], [], [], PATIENCE_S)[0] and os.read(hears_start, 64):
        pass
    assert is_closed_by_all(hears_start)
    os.close(let_go)


def test_the_collector_is_left_as_it_was_found() -> None:
    assert gc.isenabled()
    share_out(lambda _: None, 3, processes=2)
    assert gc.isenabled()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system does not say what is shared")
def test_what_copies_share_counts_once() -> None:
    """Three processes hold the same 100 MB. One that ends early lets the others' share look larger, up to 183 MB."""
    block_bytes = 100_000_000
    held = bytearray(b"x") * block_bytes
    met = meeting(3)

    def work(number: int) -> int:
        met()
        return held[number]

    done = share_out(work, 3, processes=3)
    assert done.memory.resident_bytes > 3 * block_bytes
    assert done.memory.resident_bytes - done.memory.held_bytes > 0.9 * block_bytes


def meeting(count: int = 2) -> Callable[[], None]:
    """Return what lets each of ``count`` processes go on when all have called it."""
    barrier = multiprocessing.get_context("fork").Barrier(count)
    return partial(barrier.wait, PATIENCE_S)


def only_in_a_copy(act: Callable[[], object]) -> Callable[[int], None]:
    """Return work that acts in a copy once this process has a portion too."""
    ours, met = os.getpid(), meeting()

    def work(_: int) -> None:
        met()
        if os.getpid() != ours:
            act()

    return work


def is_closed_by_all(reader: int) -> bool:
    """Whether no process holds the other end any more, waiting for it a while."""
    readable, _, _ = select.select([reader], [], [], PATIENCE_S)
    return bool(readable) and os.read(reader, 1) == b""
