"""``dutchbook pairs review``: both rule texts side by side, and a decision that is signed and written.

Venues write the texts: whatever they contain is shown as text and cannot steer the terminal.
"""

import getpass
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.asking import ask_redis
from services.cli.output import errors, visible, write_json, write_line
from services.matcher.mapping_files import Mappings, PlacedRow, load
from services.matcher.review import Action, Case, Decision, Sheet, decided, instant, oldest_first, sheet_of
from services.matcher.review_files import ReviewRefused, version_of, write_decision
from services.matcher.review_source import Queue, read_cases
from services.matcher.text_diff import columns, compare_texts
from shared.runtime.errors import SettingsRefused

_NARROWEST = 60
_WIDEST = 200
_KEYS = "a approve, r reject, h suspend, i turn round, n note, s skip, q quit"
_ACTIONS: dict[str, Action] = {"a": "approve", "r": "reject", "h": "suspend"}

PairName = Annotated[
    str, typer.Argument(help="A pair's id as `pairs list` shows it, or TICKER~CONDITION_ID; without it, the queue.")
]


def review_command(
    pair: PairName = "",
    *,
    folder: Annotated[Path, typer.Option(help="The mappings folder.")] = Path("mappings"),
    approve: Annotated[bool, typer.Option("--approve", help="Both markets settle on the same question.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="They do not; nobody is asked about them again.")] = False,
    suspend: Annotated[
        bool, typer.Option("--suspend", help="Nothing is traded until somebody approves again.")
    ] = False,
    invert: Annotated[
        bool, typer.Option("--invert", help="Turn the pair round; alone, it then needs a review.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who decides; your login name without it, when you are asked.")] = "",
    note: Annotated[str, typer.Option(help="What the next reader should know.")] = "",
    evidence: Annotated[str, typer.Option(help="What was read: links or files.")] = "",
    category: Annotated[str, typer.Option(help="The row's category and file; the venue's own without it.")] = "",
    not_after: Annotated[str, typer.Option(help="Hard end: 2026-12-09T19:00:00Z; Kalshi's own without it.")] = "",
    max_notional: Annotated[str, typer.Option(help="The most dollars at risk in this pair.")] = "",
    tail_risk: Annotated[list[str] | None, typer.Option(help="A void or tail risk; may be repeated.")] = None,
    seen: Annotated[
        str, typer.Option(help="The `version` you have read, from --json; refused when it is not it.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the case, the queue, or what was written.")
    ] = False,
) -> None:
    """Review pairs: look at them, approve, reject, invert or note. Without a decision it asks, on a terminal.

    Exits 1 when a decision is refused: nothing is written then.
    """
    chosen: list[Action] = [name for name, is_set in _actions(approve, reject, suspend) if is_set]
    if len(chosen) > 1:
        raise SettingsRefused(f"--{' and --'.join(chosen)}: choose one")
    acts = bool(chosen) or invert or bool(note)
    if acts and not pair:
        raise SettingsRefused("name the pair that you decide about")
    desk = Desk(folder)
    cases, unreadable = desk.queue(pair)
    for what in unreadable:
        errors.print(f"not shown: {visible(what)}", markup=False, soft_wrap=True)
    if acts:
        decision = Decision(
            action=chosen[0] if chosen else "note",
            by=by,
            now=datetime.now(UTC),
            invert=invert,
            note=note,
            evidence=evidence,
            category=category,
            not_after=instant(not_after) if not_after else None,
            max_notional_usd=max_notional or None,
            tail_risks=tuple(tail_risk) if tail_risk else None,
        )
        placed = desk.decide(cases[0], decision, seen)
        write_json(_written(placed)) if as_json else write_line(_said(placed))
        return
    if as_json:
        sheets = desk.sheets(cases)
        write_json({"case": sheets[0]} if pair else {"cases": sheets, "unreadable": unreadable})
    elif sys.stdin.isatty():
        _ask_about(desk, cases, by or _login_name())
    elif pair:
        for line in page(cases[0], desk.sheets(cases)[0], _width()):
            write_line(line)
    else:
        for sheet in desk.sheets(cases):
            write_line(
                f"{sheet.state:<12} {sheet.score} {sheet.pair_id}  {sheet.kalshi.title} ~ {sheet.polymarket.title}"
            )


def _actions(approve: bool, reject: bool, suspend: bool) -> tuple[tuple[Action, bool], ...]:
    return ("approve", approve), ("reject", reject), ("suspend", suspend)


class Desk:
    """The mappings and the bus, for one run of the command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mappings: Mappings = load(folder)

    def queue(self, wanted: str) -> Queue:
        """Return the case that is wanted, or the queue. Raises StartRefused."""
        self._mappings = load(self._folder)
        return ask_redis(lambda url: read_cases(url, self._mappings, wanted))

    def sheets(self, cases: list[Case]) -> list[Sheet]:
        """Return what there is to see, in the order of work."""
        now = datetime.now(UTC)
        return oldest_first(sheet_of(case, self._mappings, now) for case in cases)

    def decide(self, case: Case, decision: Decision, seen: str = "") -> PlacedRow:
        """Write a decision and return the row with its place. Raises ReviewRefused."""
        if seen and seen != case.version:
            raise ReviewRefused(f"version {seen} is not what is there now ({case.version}): look at it again")
        key = (case.kalshi.market_id, case.polymarket.market_id)
        return write_decision(
            self._folder, key, seen=version_of(case.row), decide=lambda row: decided(case, row, decision)
        )


def page(case: Case, sheet: Sheet, width: int) -> Iterator[str]:
    """Yield the lines that a reviewer reads: both questions, both rule texts level with each other, and the slots."""
    half = (width - 3) // 2
    yield "=" * width
    yield f"{visible(sheet.pair_id)}  [{sheet.state}] {visible(sheet.reason)}"
    yield f"orientation {sheet.orientation.value}: {_orientation_words(case)}"
    yield from _beside("KALSHI", "POLYMARKET", half)
    for name in ("title", "label", "market_id", "source", "ends"):
        left, right = (str(getattr(side, name) or "-") for side in (sheet.kalshi, sheet.polymarket))
        yield from _beside(f"{name}: {left}", f"{name}: {right}", half)
    yield from _beside("", f"outcomes: {' / '.join(sheet.polymarket.outcomes)}", half)
    yield "-" * width
    texts = (visible(" ".join(market.rules_text.split())) for market in (case.kalshi, case.polymarket))
    for left, right in columns(compare_texts(*texts), width=half):
        yield f"{left:<{half}} | {right}"
    yield "-" * width
    for name in sorted(sheet.kalshi.slots.keys() | sheet.polymarket.slots.keys()):
        left, right = (side.slots.get(name, "-") for side in (sheet.kalshi, sheet.polymarket))
        mark = " " if left == right else "*"
        yield from _beside(f"{mark}{name}: {left}", f"{mark}{name}: {right}", half)
    yield "-" * width
    yield f"slots say {sheet.relation}, score {sheet.score}; vetoes: {', '.join(sheet.vetoes) or 'none'}"
    yield f"reasons: {visible('; '.join(sheet.reasons)) or 'none'}"
    yield f"time to resolution: {_duration(sheet.resolves_in_s)}"
    if sheet.verified_by or sheet.note:
        yield f"until now: {visible(sheet.verified_by) or 'nobody'}: {visible(sheet.note)}"
    if sheet.two_readers:
        yield f"TWO READERS: {sheet.two_readers}; the second one has to be another person"


def _orientation_words(case: Case) -> str:
    at = 0 if case.orientation.value == "same" else 1
    outcome = case.polymarket.outcomes[at] if len(case.polymarket.outcomes) == 2 else "?"
    return visible(
        f"kalshi YES [{case.kalshi.outcome_label or case.kalshi.title}] pays when polymarket [{outcome}] pays"
    )


def _beside(left: str, right: str, half: int) -> Iterator[str]:
    shown = [visible(" ".join(text.split())) for text in (left, right)]
    rows = max(1, *(-(-len(text) // half) for text in shown))
    for row in range(rows):
        cut = slice(row * half, (row + 1) * half)
        yield f"{shown[0][cut]:<{half}} | {shown[1][cut]}"


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "neither venue says"
    if seconds < 0:
        return "over by the venue's own time"
    days, rest = divmod(seconds, 86_400)
    return f"{days} d {rest // 3_600} h {rest % 3_600 // 60} min"


def _login_name() -> str:
    """Return who is logged in; raises SettingsRefused where nobody is, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise SettingsRefused("this system does not say who you are: name the reviewer with --by") from None


def _ask_about(desk: Desk, cases: list[Case], by: str) -> None:
    """Go through the cases with a person at the terminal."""
    by_id = {case.pair_id: case for case in cases}
    for sheet in desk.sheets(cases):
        if not _ask(desk, by_id[sheet.pair_id], sheet, by):
            return


def _ask(desk: Desk, case: Case, sheet: Sheet, by: str) -> bool:
    """Show one case and carry out what is said; return whether to go on with the next."""
    facts: dict[str, Any] = {"invert": False, "note": ""}
    for line in page(case, sheet, _width()):
        write_line(line)
    while True:
        turned = " (turned round)" if facts["invert"] else ""
        answer = _typed(f"{by}{turned} [{_KEYS}]: ")
        action = _ACTIONS.get(answer)
        if answer == "i":
            facts["invert"] = not facts["invert"]
        elif answer == "n":
            facts["note"] = _typed("note: ")
        elif answer in ("s", "q"):
            if facts["invert"] or facts["note"]:
                _try(desk, case, Decision(action="note", by=by, now=datetime.now(UTC), **facts))
            return answer == "s"
        elif action is not None and _try(desk, case, Decision(action=action, by=by, now=datetime.now(UTC), **facts)):
            return True


def _try(desk: Desk, case: Case, decision: Decision) -> bool:
    try:
        write_line(_said(desk.decide(case, decision)))
    except ReviewRefused as refused:
        write_line(f"not written: {refused}")
        return False
    return True


def _typed(prompt: str) -> str:
    """Return the next line that is typed; the end of input is a ``q``."""
    sys.stdout.write(visible(prompt))
    sys.stdout.flush()
    line = sys.stdin.readline()
    return line.strip() if line else "q"


def _written(placed: PlacedRow) -> dict[str, Any]:
    row = placed.row
    return {
        "pair_id": row.pair_id,
        "status": row.status,
        "orientation": row.orientation.value,
        "verified_by": row.review.verified_by,
        "second_reviewer": row.review.second_reviewer,
        "needs_two_readers": row.needs_two_readers,
        "file": placed.file,
        "line": placed.line,
    }


def _said(placed: PlacedRow) -> str:
    row = placed.row
    more = f"; {row.needs_two_readers} needs a second reader" if row.status == "needs_review" else ""
    return f"{row.pair_id} is {row.status} ({row.orientation.value}) in {placed.file}:{placed.line}{more}"


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((120, 40)).columns - 1))
