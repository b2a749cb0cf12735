"""``dutchbook record --raw``: a venue's socket to files, exactly as received, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import msgspec
import typer

from services.cli.output import write_json, write_line
from services.cli.record.kalshi import KalshiConversation
from services.cli.record.polymarket import PolymarketConversation
from services.cli.record.raw_file import Folder, Recorded
from services.cli.record.recorder import Conversation, Recorder
from services.kalshi_feed.settings import Settings as KalshiSettings
from services.polymarket_feed.settings import Settings as PolymarketSettings
from shared.domain.market import Venue
from shared.io.http import HttpClient
from shared.runtime.clock import SystemClock
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.logs import log_to_stderr
from shared.runtime.settings import read_settings

_NO_REDIS = {"DUTCHBOOK_REDIS_URL": "redis://unset"}
"""The feeds' settings want one; recording does not."""


class Report(msgspec.Struct, kw_only=True):
    """What was recorded."""

    files: list[Recorded]
    lost: list[str]
    """Why connections ended that nobody ended; rotation is one reason."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("record")(record_command)


def record_command(
    venue: Annotated[Venue, typer.Argument(help="Whose socket.")],
    markets: Annotated[str, typer.Option(help="Kalshi tickers or Polymarket token ids, with commas between them.")],
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path("recordings"),
    raw: Annotated[bool, typer.Option("--raw", help="Frames as received; the only kind there is.")] = False,
    channels: Annotated[str, typer.Option(help="Kalshi, beside the books: ticker, trade or both.")] = "",
    duration: Annotated[float | None, typer.Option(min=0.1, help="Seconds; without it, until Ctrl-C.")] = None,
    rotate_mib: Annotated[int, typer.Option(min=1, help="A file as large as this is closed and another begun.")] = 256,
    rotate_minutes: Annotated[float, typer.Option(min=0.01, help="The same for a file as old as this.")] = 60.0,
    compress: Annotated[bool, typer.Option("--gzip", help="Pack each finished file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Write a venue's WebSocket frames to files, one per connection, with the time each one came.

    `dutchbook books` replays them. Exits 1 when nothing was received.
    """
    wanted = _words(markets)
    if not raw:
        raise SettingsRefused("say --raw: frames as received are what can be recorded")
    if not wanted:
        raise SettingsRefused("--markets names no market")
    log_to_stderr("record", level="WARNING")
    report = asyncio.run(
        record(
            venue,
            wanted,
            out,
            channels=_words(channels),
            duration_s=duration,
            rotate_bytes=rotate_mib << 20,
            rotate_s=rotate_minutes * 60,
            compress=compress,
        )
    )
    if as_json:
        write_json(report)
    else:
        for file in report.files:
            write_line(f"{file.path}  {file.frames} frames  {file.bytes} bytes")
    raise typer.Exit(0 if any(file.frames for file in report.files) else 1)


async def record(
    venue: Venue,
    markets: Sequence[str],
    out: Path,
    *,
    channels: Sequence[str] = (),
    duration_s: float | None,
    rotate_bytes: int,
    rotate_s: float,
    compress: bool,
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """Record until SIGINT, SIGTERM or the end of the time. Raises StartRefused."""
    stopping = asyncio.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(wanted, stopping.set)
    async with AsyncExitStack() as resources:
        recorder = Recorder(
            await _conversation(venue, markets, channels, environ, resources),
            Folder(out),
            SystemClock(),
            rotate_bytes=rotate_bytes,
            rotate_s=rotate_s,
            compress=compress,
            jitter=SystemRandom(),
        )
        recording = asyncio.create_task(recorder.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await asyncio.wait([recording, asyncio.create_task(stopping.wait())], return_when="FIRST_COMPLETED")
        recording.cancel()
        await asyncio.wait([recording])
        if not recording.cancelled() and (error := recording.exception()) is not None:
            raise _refusal(error)
        return Report(files=recorder.recorded, lost=recorder.lost)


async def _conversation(
    venue: Venue,
    markets: Sequence[str],
    channels: Sequence[str],
    environ: Mapping[str, str],
    resources: AsyncExitStack,
) -> Conversation:
    if venue is Venue.KALSHI:
        kalshi = read_settings(KalshiSettings, {**environ, **_NO_REDIS}, prefix="KALSHI_FEED")
        http = await resources.enter_async_context(HttpClient(kalshi.rest_base))
        return KalshiConversation(kalshi, markets, http, SystemClock(), channels=channels)
    if channels:
        raise SettingsRefused("--channels is for kalshi: Polymarket's market channel carries everything")
    polymarket = read_settings(PolymarketSettings, {**environ, **_NO_REDIS}, prefix="POLYMARKET_FEED")
    clob = await resources.enter_async_context(HttpClient(polymarket.clob_url))
    return PolymarketConversation(polymarket, markets, clob)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _refusal(error: BaseException) -> BaseException:
    """Return the refusal inside a group of tasks' errors; anything else as it is."""
    if isinstance(error, BaseExceptionGroup):
        refusals, others = error.split(StartRefused)
        if refusals is not None and others is None:
            return _refusal(refusals.exceptions[0])
    return error
