"""``dutchbook pairs``: the mapping files and the pairs they made."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import write_json, write_line
from services.matcher.offline import PairLine, lint, read_pairs
from shared.io.bus import TRANSIENT
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.redis_server import check_redis

app = typer.Typer(help="The mapping files and the pairs they made.", no_args_is_help=True)


@app.command("lint")
def lint_command(
    folder: Annotated[Path, typer.Argument(help="The mappings folder.")] = Path("mappings"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every mapping file; exits 1 when something is wrong, with file and line."""
    if not folder.is_dir():
        raise SettingsRefused(f"{folder} is not a folder of mappings")
    problems = lint(folder)
    if as_json:
        write_json({"problems": problems})
    for problem in problems if not as_json else ():
        write_line(str(problem))
    raise typer.Exit(1 if problems else 0)


@app.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the pairs on the bus: live, suspended and candidates."""
    url = os.environ.get("DUTCHBOOK_REDIS_URL", "")
    if not url:
        raise SettingsRefused("DUTCHBOOK_REDIS_URL is not set")
    try:
        lines = asyncio.run(_checked_pairs(url))
    except TRANSIENT as error:
        raise StartRefused(f"Redis at DUTCHBOOK_REDIS_URL does not answer: {error}") from None
    if as_json:
        write_json({"pairs": lines})
        return
    for line in lines:
        write_line(f"{line.state:<10} {line.orientation:<8} {line.pair_id}  {line.title}  {line.reason}".rstrip())


async def _checked_pairs(url: str) -> list[PairLine]:
    """Return the pairs on the bus. Raises StartRefused when the URL or the server behind it cannot be used."""
    await check_redis(url)
    return await read_pairs(url)
