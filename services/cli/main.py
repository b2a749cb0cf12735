"""The ``dutchbook`` command's door: every command, and one clear line for whatever a user can get wrong.

Exit status 0: done. 1: failed. 2: usage or settings. 3: refused by risk or halted.
"""

import asyncio
import os
import runpy
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from services.cli import bench, config, demo, doctor, offline, pairs, record
from services.cli.book import book_command
from services.cli.output import write_json, write_line
from services.cli.scan import scan_command
from services.cli.stack import SERVICES
from services.cli.up import up_command
from services.cli.why import why_command
from shared.runtime.errors import SettingsRefused, StartRefused

app = typer.Typer(
    name="dutchbook",
    help="Cross-venue arbitrage scanner for Kalshi and Polymarket.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(pairs.app, name="pairs")
app.add_typer(bench.app, name="bench")
app.add_typer(config.app, name="config")
offline.add_to(app)
app.command("up")(up_command)
app.command("scan")(scan_command)
app.command("book")(book_command)
app.command("why")(why_command)
record.add_to(app)

RUNNABLE = (*SERVICES, "venue_sim")


@app.command("demo")
def demo_command(
    duration: Annotated[
        float | None, typer.Option(min=1, help="Seconds to watch once everything is up; without it, until Ctrl-C.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end and no table.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated world.")] = 1,
) -> None:
    """Run the whole pipeline against simulated venues: private Redis, every service, dry-run.

    Exits 1 when an opportunity that the simulator knows of was missed or a false one was announced.
    """
    summary = asyncio.run(demo.demo(seed=seed, duration_s=duration, show=not as_json))
    if as_json:
        write_json(summary)
    else:
        demo.print_summary(summary)
    raise typer.Exit(summary.exit_status)


@app.command("run")
def run_command(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(RUNNABLE)}.")],
) -> None:
    """Run one service in the foreground; its settings come from the environment."""
    if service not in RUNNABLE:
        raise SettingsRefused(f"there is no service {service!r}; choose one of: {', '.join(RUNNABLE)}")
    sys.argv = [f"dutchbook run {service}"]
    runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)


@app.command("sim")
def sim_command(
    kalshi_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    polymarket_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world.")] = 1,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when every port listens: JSON with every URL and a throw-away key.")
    ] = None,
    recorded: Annotated[
        Path | None, typer.Option(help="Serve recorded venue objects and frames from this folder instead of a world.")
    ] = None,
) -> None:
    """Run the simulated Kalshi and Polymarket alone, on loopback."""
    os.environ["VENUE_SIM_KALSHI_PORT"] = str(kalshi_port)
    os.environ["VENUE_SIM_POLYMARKET_PORT"] = str(polymarket_port)
    os.environ["VENUE_SIM_SEED"] = str(seed)
    if ready_file is not None:
        os.environ["VENUE_SIM_READY_FILE"] = str(ready_file)
    if recorded is not None:
        os.environ["VENUE_SIM_RECORDED"] = str(recorded)
    run_command("venue_sim")


@app.command("doctor")
def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check Redis, the key file, both venues' clocks and Polymarket's geoblock; exits 1 when one must be mended."""
    diagnosis = asyncio.run(doctor.diagnose())
    if as_json:
        write_json(diagnosis)
    else:
        doctor.print_diagnosis(diagnosis)
    raise typer.Exit(diagnosis.exit_status)


@app.command("version")
def version_command() -> None:
    """Print the version."""
    try:
        write_line(version("dutchbook"))
    except PackageNotFoundError:
        raise StartRefused("dutchbook is not installed here; run: make setup") from None


def main() -> None:
    """Run the command line; a refusal is one line on stderr and its exit status."""
    try:
        app()
    except StartRefused as refusal:
        sys.stderr.write(f"dutchbook: {_one_line(str(refusal))}\n")
        sys.exit(refusal.exit_status)
    except KeyboardInterrupt:
        sys.exit(1)


def _one_line(text: str) -> str:
    """Return a refusal without line breaks and control characters, which file names and fields may hold."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
