"""``dutchbook scan``: every live pair and basket, what it offers now and where the detector left it."""

import asyncio
import signal
import time
from contextlib import suppress
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.live import Live

from services.cli.asking import ask_redis
from services.cli.output import errors, write_json, write_line
from services.cli.scan_rows import Scan, ScanRow
from services.cli.scan_text import gone_line, headline, line_of, lines_of, table_of
from services.cli.scan_watch import ScanWatch
from shared.runtime.errors import StartRefused

_LOOK_S = 0.5
"""The least pause between two looks: a book that trades a thousand times a second is not a thousand lines."""
_AGES_S = 1.0
"""A table is drawn again at least this often, because its ages go on."""
_LINES_AROUND = 5
"""Of a terminal: headings, the line about the rest, and a line to breathe."""


def scan_command(
    once: Annotated[bool, typer.Option("--once", help="Print what there is and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one object with --once, else a line for each row that changes.")
    ] = False,
) -> None:
    """Show every live pair and basket: its edge after fees, its open opportunity, and the reason why there is none.

    Without --once it follows until Ctrl-C: a table on a terminal, else one line for each row that changes.
    """
    ask_redis(lambda url: _scan(url, once=once, as_json=as_json))


async def _scan(url: str, *, once: bool, as_json: bool) -> None:
    watch = ScanWatch(url)
    await watch.load()
    found = watch.view.scan(now_ns=time.time_ns())
    if not found.rows:
        raise StartRefused(
            f"no pair or basket is live ({headline(found.counts)}); see: dutchbook pairs list, dutchbook pairs review"
        )
    if not once:
        await _follow(watch, as_json=as_json)
    elif as_json:
        write_json(found)
    else:
        for line in lines_of(found):
            write_line(line)


async def _follow(watch: ScanWatch, *, as_json: bool) -> None:
    stopping = asyncio.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(wanted, stopping.set)
    following = asyncio.create_task(watch.run(stopping))
    try:
        with _screen(as_json=as_json) as screen:
            while not stopping.is_set():
                screen.show(watch.view.scan(now_ns=time.time_ns()), silent_s=watch.silent_s())
                await _pause(watch, stopping)
                if following.done():
                    following.result()
    finally:
        stopping.set()
        await asyncio.wait({following})


async def _pause(watch: ScanWatch, stopping: asyncio.Event) -> None:
    """Wait for the next look: half a second, and then for news, or for the ages to be wrong."""
    for event, wait_s in ((stopping, _LOOK_S), (watch.changed, _AGES_S - _LOOK_S)):
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), wait_s)
    watch.changed.clear()


class Screen(Protocol):
    """Where a scan that is followed appears."""

    def show(self, scan: Scan, *, silent_s: float) -> None:
        """Show the present scan; ``silent_s`` is for how long Redis has not answered, 0 when it does."""
        ...

    def __enter__(self) -> "Screen": ...

    def __exit__(self, *_: object) -> None: ...


def _screen(*, as_json: bool) -> Screen:
    console = Console(highlight=False)
    is_calm = as_json or not console.is_terminal or console.is_dumb_terminal
    return Lines(as_json=as_json) if is_calm else LiveTable(console)


class LiveTable:
    """A table that stays where it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def show(self, scan: Scan, *, silent_s: float) -> None:
        """Draw the table anew."""
        self.draw(scan, f"REDIS DOES NOT ANSWER for {silent_s:.0f} s, this is from before: " if silent_s else "")

    def draw(self, scan: Scan, header: str) -> None:
        """Draw the table anew under ``header``."""
        width, height = self._console.size
        around = _LINES_AROUND + len(header) // width + header.count("\n")
        table = table_of(scan, header=header, width=width, most=max(1, height - around))
        self._live.update(table, refresh=True)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class Lines:
    """One line for each row that differs from what was printed of it last, whatever its ages."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._shown: dict[str, ScanRow] = {}
        self._was_silent = False

    def show(self, scan: Scan, *, silent_s: float) -> None:
        """Print what is new."""
        rows = {f"{row.kind} {row.id}": row for row in scan.rows}
        for key, row in rows.items():
            before = self._shown.get(key)
            if before is None or before.figures != row.figures:
                write_json(row) if self._as_json else write_line(line_of(row))
        for key, row in self._shown.items():
            if key not in rows:
                write_json(_gone(row)) if self._as_json else write_line(gone_line(row))
        self._shown = rows
        if bool(silent_s) != self._was_silent:
            self._was_silent = bool(silent_s)
            errors.print("Redis does not answer; waiting for it" if silent_s else "Redis answers again")

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _gone(row: ScanRow) -> ScanRow:
    return ScanRow(
        kind=row.kind,
        id=row.id,
        title=row.title,
        state="gone",
        direction="",
        edge_dollars_per_contract=None,
        opportunities=(),
        outcome="",
        is_old=False,
        reason="no longer live",
    )
