"""``dutchbook pairs``: the mapping files and the pairs they made."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.asking import ask_redis
from services.cli.baskets import BasketLine, read_baskets
from services.cli.output import AsJson, write_json, write_line
from services.cli.review import PairName, review_command
from services.matcher.mapping_files import MappingsRefused, Problem, load, notices
from services.matcher.offline import PairLine, read_pairs
from shared.runtime.errors import SettingsRefused

app = typer.Typer(help="The mapping files and the pairs they made.", no_args_is_help=True)
app.command("review")(review_command)

By = Annotated[str, typer.Option(help="Who decides.")]
Note = Annotated[str, typer.Option(help="What the next reader should know.")]
Folder = Annotated[Path, typer.Option(help="The mappings folder.")]


@app.command("lint")
def lint_command(
    folder: Annotated[Path, typer.Argument(help="The mappings folder.")] = Path("mappings"),
    as_json: AsJson = False,
) -> None:
    """Check every mapping file; exits 1 when something is wrong, with file, line and what to do.

    Notices are about mappings without an error: rows past their end, reviews half done, open disagreements.
    """
    if not folder.is_dir():
        raise SettingsRefused(f"{folder} is not a folder of mappings")
    problems: list[Problem] = []
    noticed: list[Problem] = []
    try:
        noticed = notices(load(folder), datetime.now(UTC))
    except MappingsRefused as refused:
        problems = refused.problems
    if as_json:
        write_json({"problems": problems, "notices": noticed})
    for problem in problems if not as_json else ():
        write_line(str(problem))
    for notice in noticed if not as_json else ():
        write_line(f"notice: {notice}")
    raise typer.Exit(1 if problems else 0)


@app.command("approve")
def approve_command(pair: PairName, *, by: By, note: Note = "", folder: Folder = Path("mappings")) -> None:
    """Approve a pair: short for ``review PAIR --approve``."""
    review_command(pair, folder=folder, approve=True, by=by, note=note)


@app.command("reject")
def reject_command(pair: PairName, *, by: By, note: Note = "", folder: Folder = Path("mappings")) -> None:
    """Reject a pair, for good: short for ``review PAIR --reject``."""
    review_command(pair, folder=folder, reject=True, by=by, note=note)


@app.command("suspend")
def suspend_command(pair: PairName, *, by: By, note: Note = "", folder: Folder = Path("mappings")) -> None:
    """Suspend a pair until somebody approves it again: short for ``review PAIR --suspend``."""
    review_command(pair, folder=folder, suspend=True, by=by, note=note)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the pairs on the bus, live, suspended and candidates, and the baskets that are switched on."""
    lines, baskets = ask_redis(_listed)
    if as_json:
        write_json({"pairs": lines, "baskets": baskets})
        return
    for line in lines:
        write_line(f"{line.state:<10} {line.orientation:<8} {line.pair_id}  {line.title}  {line.reason}".rstrip())
    for basket in baskets:
        write_line(f"{basket.state:<10} basket   {basket.basket_id}  {basket.title}  {basket.reason}".rstrip())


async def _listed(url: str) -> tuple[list[PairLine], list[BasketLine]]:
    return await read_pairs(url), await read_baskets(url)
