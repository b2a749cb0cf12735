"""A scan for people: one line per row, or a table for a terminal. What venues wrote is text there and does nothing."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.output import visible
from services.cli.scan_rows import OpenOpportunity, Scan, ScanCounts, ScanRow
from shared.domain.pair import Direction

_WAYS = {
    Direction.YES_KALSHI_NO_POLYMARKET.value: "YES Kalshi + NO Polymarket",
    Direction.NO_KALSHI_YES_POLYMARKET.value: "NO Kalshi + YES Polymarket",
    "every_no": "NO on several",
    "every_yes": "YES on all",
}
_LONGEST_TITLE = 48
_ROOM_FOR_TITLES = 130
_GAP = "  "
_HEADINGS = ("", "pair or basket", "title", "buy", "edge each", "contracts", "edge", "a year", "open for", "standing")
_SHARES = {"pair or basket": 4, "title": 4, "standing": 5}
"""How the columns whose texts have no end share the rest of a terminal."""
_RIGHT = frozenset({"edge each", "contracts", "edge", "a year", "open for"})


def headline(counts: ScanCounts) -> str:
    """Say how much there is, on one line."""
    return (
        f"{_count(counts.pairs, 'live pair')}, {_count(counts.baskets, 'basket')}, {counts.open} open; "
        f"{counts.suspended} suspended, {_count(counts.candidates, 'candidate')} for review"
    )


def lines_of(scan: Scan) -> list[str]:
    """Return the headline, the names of the columns, and one line per row, in columns that are as wide as they must."""
    cells = [_HEADINGS, *(_cells(row) for row in scan.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [headline(scan.counts), *(_aligned(row, widths) for row in cells)]


def line_of(row: ScanRow) -> str:
    """Return one row as a line by itself."""
    return _GAP.join(cell for cell in _cells(row) if cell)


def gone_line(row: ScanRow) -> str:
    """Say that a pair or basket is not live any more."""
    return f"gone{_GAP}{visible(row.id)}{_GAP}no longer live"


def table_of(scan: Scan, *, header: str, width: int, most: int) -> RenderableType:
    """Return the scan as a table of at most ``most`` rows under ``header``, for a terminal of ``width`` columns.

    A column with nothing in it is left out, and so is the title where there is no room for it.
    """
    rows = [_cells(row) for row in scan.rows[:most]]
    shown = [
        at
        for at, heading in enumerate(_HEADINGS)
        if any(cells[at] for cells in rows) and (heading != "title" or width >= _ROOM_FOR_TITLES)
    ]
    table = Table(expand=True, box=None, pad_edge=False)
    for heading in (_HEADINGS[at] for at in shown):
        justify: Literal["left", "right"] = "right" if heading in _RIGHT else "left"
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", ratio=_SHARES.get(heading))
    for row, cells in zip(scan.rows, rows, strict=False):
        style = "bold green" if row.state == "open" else ""
        table.add_row(*(Text(cells[at], style=style) for at in shown))
    left = len(scan.rows) - len(rows)
    more = [Text(f"and {left} more")] if left else []
    return Group(Text(f"{header}{headline(scan.counts)}"), table, *more)


def seconds(ms: int) -> str:
    """Return a duration for people: ``3.2 s``, ``4 min``, ``2 h``."""
    if ms < 120_000:
        return f"{ms // 1_000}.{ms % 1_000 // 100} s"
    return f"{ms // 60_000} min" if ms < 7_200_000 else f"{ms // 3_600_000} h"


def _cells(row: ScanRow) -> tuple[str, ...]:
    first = row.opportunities[0] if row.opportunities else None
    way = first.direction if first is not None else row.direction
    title = visible(row.title)
    return (
        "OPEN" if first is not None else "",
        visible(row.id),
        title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…",
        _WAYS.get(way, visible(way)),
        "" if row.edge_dollars_per_contract is None else _dollars(row.edge_dollars_per_contract, "0.0001"),
        *_figures(first),
        _standing(row),
    )


def _figures(first: OpenOpportunity | None) -> tuple[str, str, str, str]:
    if first is None:
        return "", "", "", ""
    return (
        f"{first.contracts.normalize():f}",
        _dollars(first.edge_dollars, "0.01"),
        "" if first.annualised_return is None else f"{_rounded(first.annualised_return * 100, '0.1')}%",
        seconds(first.age_ms),
    )


def _standing(row: ScanRow) -> str:
    """Return the reason, for how long it holds, what else is doubtful, and why an open episode brings no intent."""
    said = [row.reason if row.for_ms is None else f"{row.reason} (for {seconds(row.for_ms)})"]
    said += [doubt for doubt in row.doubts if not doubt.endswith(f": {row.reason}")]
    if row.opportunities and row.opportunities[0].alert_only:
        said.append(f"alert-only: {row.opportunities[0].alert_only}")
    return visible("; ".join(said))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if heading in _RIGHT else cell.ljust(width)
        for cell, width, heading in zip(cells, widths, _HEADINGS, strict=True)
    )
    return _GAP.join(padded).rstrip()


def _dollars(amount: Decimal, step: str) -> str:
    rounded = _rounded(amount, step)
    return f"-${-rounded}" if rounded < 0 else f"${rounded}"


def _rounded(amount: Decimal, step: str) -> Decimal:
    return amount.quantize(Decimal(step), rounding=ROUND_HALF_EVEN)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
