"""``dutchbook up``: every service on the venues that the settings name, in dry-run, supervised until Ctrl-C.

Real venues are only asked with ``--live-data``; a simulator on this machine needs no such word. No order can leave: the
executor simulates, and anything else is refused before a process is started.
"""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.config_lines import Problem, problem_of
from services.cli.output import errors, visible, write_line
from services.cli.run_folder import kept_folder, secret_file, temporary_folder
from services.cli.scan import LiveTable
from services.cli.scan_rows import Scan
from services.cli.scan_text import headline, line_of
from services.cli.scan_watch import ScanWatch
from services.cli.stack import SERVICES, Stack
from services.cli.up_plan import INTENT_KEY_VARIABLE, Plan, plan_of
from services.cli.watch import PipelineWatch
from shared.domain.market import Venue
from shared.runtime.errors import SettingsRefused
from shared.runtime.redis_address import URL_VARIABLE, redis_url_in
from shared.runtime.redis_server import check_redis, redis_url_or_private

_LOOK_S = 1.0
_STATUS_S = 30.0
"""Without a terminal: a line at least this often, and whenever pairs, open opportunities or a feed's state change."""


def up_command(
    live_data: Annotated[
        bool, typer.Option("--live-data", help="Ask the real venues for their public data; needed unless all is local.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Keep logs, ledger and Redis's data here; a temporary folder without it.")
    ] = None,
) -> None:
    """Run every service on the venues that the settings name, in dry-run, until Ctrl-C.

    Without --live-data only a simulator on this machine is asked; else it says what it would start, and exits 2.
    """
    plan = plan_of(os.environ, folder=folder, redis_url="", live_data=live_data)
    may_start = live_data or plan.is_local
    if not may_start:
        plan = plan_of(os.environ, folder=folder, redis_url="", live_data=True)
    for line in (f"dutchbook up {'starts' if may_start else 'would start'}, in dry-run:", *plan.lines):
        write_line(line)
    if not may_start:
        raise SettingsRefused(
            "these are real venues: add --live-data to ask them for public data, or name the addresses of a simulator"
        )
    asyncio.run(_up(folder, live_data=live_data))


async def _up(folder: Path | None, *, live_data: bool) -> None:
    interrupted = asyncio.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(wanted, interrupted.set)
    url = redis_url_in(os.environ) if os.environ.get(URL_VARIABLE) else None
    in_folder = temporary_folder("dutchbook-up-", interrupted) if folder is None else kept_folder(folder)
    with in_folder as place:
        write_line(f"files are in {place}")
        data_folder = place / "redis" if url is None and folder is not None else None
        if data_folder is not None:
            data_folder.mkdir(mode=0o700, exist_ok=True)
        with redis_url_or_private(url, data_folder=data_folder) as redis_url:
            await check_redis(redis_url)
            plan = plan_of(os.environ, folder=place, redis_url=redis_url, live_data=live_data)
            _prepare(plan, place)
            if url is None:
                write_line(f"to look closer from elsewhere: {URL_VARIABLE}={redis_url} dutchbook scan")
            await _Supervised(plan, place, redis_url, interrupted).run()
    write_line("ended")


def _prepare(plan: Plan, place: Path) -> None:
    """Make the key that intents are signed with, and refuse what a service would. Raises SettingsRefused."""
    key_path = place / "intent.key"
    if plan.environ.get(INTENT_KEY_VARIABLE) == str(key_path) and not key_path.exists():
        secret_file(key_path, secrets.token_hex(32))
    told = {**os.environ, **plan.environ}
    found: list[Problem] = [problem for service in SERVICES if (problem := problem_of(service, told)) is not None]
    if found:
        raise SettingsRefused("; ".join(f"{problem.service}: {problem.text}" for problem in found))


class _Supervised:
    """The processes of one run, and whoever looks on."""

    def __init__(self, plan: Plan, place: Path, redis_url: str, interrupted: asyncio.Event) -> None:
        self._place = place
        self._redis_url = redis_url
        self._interrupted = interrupted
        self._stack = Stack(place, plan.environ)
        self._scan = ScanWatch(redis_url)
        self._pipeline = PipelineWatch(redis_url, account=_account(os.environ))
        self._began_s = time.monotonic()

    async def run(self) -> None:
        """Start everything, look on until interrupted, and end it, newest first.

        Raises StartRefused when a process ends by itself.
        """
        stopping = asyncio.Event()
        await self._scan.load()
        watching = [asyncio.create_task(watch.run(stopping)) for watch in (self._scan, self._pipeline)]
        try:
            for service in SERVICES:
                await self._stack.start(service)
            await self._look_on({self._stack.broken, *watching})
        finally:
            stopping.set()
            await self._stack.stop()
            await asyncio.wait(watching)
            await self._pipeline.close()

    async def _look_on(self, ending: set[asyncio.Future[None]]) -> None:
        """Show what is seen until interrupted; raise what any of ``ending`` ends with."""
        interrupted: asyncio.Future[Any] = asyncio.ensure_future(self._interrupted.wait())
        screen: _Table | _Lines = _Table(errors) if errors.is_terminal and not errors.is_dumb_terminal else _Lines()
        with screen:
            while not interrupted.done():
                screen.tell(self._scan.view.scan(now_ns=time.time_ns()), self._status(), self._feeds())
                waited: set[asyncio.Future[Any]] = {interrupted, *ending}
                done, _ = await asyncio.wait(waited, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for one in done - {interrupted}:
                    one.result()

    def _status(self) -> str:
        """Say on one line how long it has run and what went through."""
        seen = self._pipeline.seen
        frames = ", ".join(
            f"{venue.value} {state} ({seen.venue_frames(venue):,} frames)" for venue, state in self._feeds().items()
        )
        silent_s = self._scan.silent_s()
        redis = f"; REDIS DOES NOT ANSWER for {silent_s:.0f} s" if silent_s else ""
        return (
            f"up {time.monotonic() - self._began_s:.0f} s in dry-run, logs in {self._place}: {frames}, "
            f"{seen.all_quotes():,} quotes, {seen.intents} intents, {seen.filled} filled in simulation{redis}"
        )

    def _feeds(self) -> dict[Venue, str]:
        now_s = time.monotonic()
        return {venue: self._pipeline.seen.venue_state(venue, now_s) for venue in Venue}


class _Table(LiveTable):
    """The status and a table of what is seen, for a terminal."""

    def tell(self, scan: Scan, status: str, _feeds: Mapping[Venue, str]) -> None:
        """Draw both anew."""
        self.draw(scan, f"{visible(status)} (Ctrl-C ends it)\n")


class _Lines:
    """A status line now and then and whenever a feed is otherwise, and one for each opportunity that opens."""

    def __init__(self) -> None:
        self._said_s = 0.0
        self._said: tuple[str, Mapping[Venue, str]] = ("", {})
        self._open: frozenset[str] = frozenset()

    def tell(self, scan: Scan, status: str, feeds: Mapping[Venue, str]) -> None:
        """Write what is new."""
        now_s, counts = time.monotonic(), headline(scan.counts)
        if (counts, feeds) != self._said or now_s - self._said_s >= _STATUS_S:
            self._said_s, self._said = now_s, (counts, feeds)
            _write(f"{status}; {counts}")
        for row in scan.rows:
            if row.state == "open" and row.id not in self._open:
                _write(line_of(row))
        self._open = frozenset(row.id for row in scan.rows if row.state == "open")

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, *_: object) -> None:
        return None


def _write(text: str) -> None:
    errors.print(visible(text), markup=False, soft_wrap=True)


def _account(environ: Mapping[str, str]) -> str:
    return environ.get("DUTCHBOOK_ACCOUNT") or "main"
