"""Shares work out among this process and copies of it: every portion is done once, by whoever is free.

A copy (fork) sees all that this process holds without anything being sent, and takes memory only for what it changes.
It answers once, when no portion is left. It ends when this process ends; if it ends before it has answered, that is an
error. Where processes cannot be copied (Windows) everything is done in this one.
"""

import gc
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

_COPYING: Final = "fork"
_NUMBER_BYTES = 2
_MOST_PORTIONS = 32_000
"""Their numbers wait in a pipe, which holds 64 KiB."""
_ROLLUP = Path("/proc/self/smaps_rollup")


class CopyFailed(RuntimeError):
    """A copy of this process did not answer; the message says which, and what became of it."""


class Memory(NamedTuple):
    """What processes hold, added up."""

    held_bytes: int
    """A page that several share counts once (PSS); where the system does not say, as ``resident_bytes``."""
    resident_bytes: int
    """The most that each has held, a page that several share counted for each (RSS)."""

    def __add__(self, other: object) -> "Memory":
        assert isinstance(other, Memory), other
        return Memory(self.held_bytes + other.held_bytes, self.resident_bytes + other.resident_bytes)


class Done(NamedTuple, Generic[T]):
    """What all processes together have done."""

    results: list[T]
    """One for each portion, in order."""
    memory: Memory
    """Of all processes when the work was done."""


class _Answer(NamedTuple, Generic[T]):
    results: dict[int, T]
    memory: Memory


def share_out(work: Callable[[int], T], portions: int, *, processes: int) -> Done[T]:
    """Call ``work`` for 0, 1, ... ``portions - 1`` in up to ``processes`` processes, this one among them.

    ``work`` may use whatever this process holds; what it changes is lost in a copy, apart from what it returns. Raises
    CopyFailed when a copy dies or fails, after the others have been ended.
    """
    assert portions <= _MOST_PORTIONS, portions
    can_copy = _COPYING in multiprocessing.get_all_start_methods()
    copies: list[_Copy[T]] = []
    with _numbers(portions) as numbers, no_collector():
        try:
            if can_copy:
                copies += (_Copy(work, numbers) for _ in range(min(processes, portions) - 1))
            answer = _work_off(work, numbers)
            for copy in copies:
                theirs = copy.answer()
                answer.results.update(theirs.results)
                answer = answer._replace(memory=answer.memory + theirs.memory)
        finally:
            for copy in copies:
                copy.end()
    return Done([answer.results[number] for number in range(portions)], answer.memory)


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep the cycle collector still: it would write to every page that is shared, and look at millions of objects."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Copy(Generic[T]):
    """One copy at work."""

    def __init__(self, work: Callable[[int], T], numbers: int) -> None:
        context = multiprocessing.get_context(_COPYING)
        self._reader, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_be_a_copy, args=(work, numbers, os.getpid(), sender), daemon=True)
        self._process.start()
        sender.close()

    def answer(self) -> _Answer[T]:
        """Wait for the copy's answer. Raises CopyFailed."""
        wait([self._reader, self._process.sentinel])
        try:
            answer: _Answer[T] | str = self._reader.recv() if self._reader.poll() else ""
        except (EOFError, OSError):
            answer = ""
        if isinstance(answer, _Answer):
            return answer
        self._process.join()
        ended = answer or f"it ended with exit status {self._process.exitcode} before it answered"
        raise CopyFailed(f"process {self._process.pid}, one of those that shared the matching: {ended}")

    def end(self) -> None:
        """End the copy, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._reader.close()


def _be_a_copy(work: Callable[[int], T], numbers: int, parent: int, sender: "Connection[object, object]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer: it ends the copies
    try:
        answer: object = _work_off(work, numbers, parent)
    except Exception:  # whatever it is, the parent raises it
        answer = traceback.format_exc()
    sender.send(answer)


def _work_off(work: Callable[[int], T], numbers: int, parent: int | None = None) -> _Answer[T]:
    """Do portions until none is left, or until the process ``parent`` is gone."""
    results: dict[int, T] = {}
    while (parent is None or parent == os.getppid()) and (taken := os.read(numbers, _NUMBER_BYTES)):
        number = int.from_bytes(taken)
        results[number] = work(number)
    return _Answer(results, memory())


@contextmanager
def _numbers(portions: int) -> Iterator[int]:
    """Give a pipe from which each process takes the number of its next portion, until it is empty."""
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as file:
            file.write(b"".join(number.to_bytes(_NUMBER_BYTES) for number in range(portions)))
        yield reader
    finally:
        os.close(reader)


def memory() -> Memory:
    """Return what this process holds."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resident_bytes = peak if sys.platform == "darwin" else peak * 1024
    try:
        lines = _ROLLUP.read_text().splitlines()
    except OSError:
        return Memory(resident_bytes, resident_bytes)
    held = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)
    return Memory(resident_bytes if held is None else held * 1024, resident_bytes)
