"""Two books side by side for people, with what speaks for and against each. What venues wrote is shown as text."""

from collections.abc import Iterator
from itertools import zip_longest

from services.cli.book_legs import BeatSeen, Books, LegBook, Level
from services.cli.output import visible
from services.cli.scan_text import seconds

_SILENT_MS = 2_500
"""A beat comes each second: one this old says that the feed is silent."""
_WIDTH = 26
_LOUD = "!!!"


def lines_of(books: Books) -> list[str]:
    """Return the books as lines."""
    head = f"{visible(books.name)}  {visible(books.title)}".rstrip()
    about = [f"  {_LOUD} the pair is suspended: {visible(books.reason)}"] if books.state == "suspended" else []
    if books.state == "candidate":
        about = [f"  {visible(books.reason)}"]
    if books.orientation == "inverted":
        about.append("  the pair is inverted: Polymarket's book is mirrored, prices are those of Kalshi's YES")
    ladder = ["", *_ladder(books.legs)] if any(leg.yes_asks or leg.yes_bids for leg in books.legs) else []
    return [head, *about, *(line for leg in books.legs for line in _leg_lines(leg)), *ladder]


def _leg_lines(leg: LegBook) -> Iterator[str]:
    name = f"  {leg.venue.value:<10} {visible(leg.market_id)}"
    since = "" if leg.published_age_ms is None else f" {seconds(leg.published_age_ms)} ago"
    match leg.state:
        case "missing":
            yield f"{name}  {leg.reason}"
        case "withdrawn":
            yield f"{name}  {_LOUD} WITHDRAWN{since}: {visible(leg.reason)} {_LOUD}"
        case "unreadable":
            yield f"{name}  {_LOUD} CANNOT BE READ: {visible(leg.reason)} {_LOUD}"
        case "quoted":
            yield f"{name}  verified by {visible(leg.verified) or 'nothing'}, written{since}, {_evidence(leg)}"
            yield f"  {'':<10} {_beat(leg.connection, leg.beat)}"


def _evidence(leg: LegBook) -> str:
    checksum = f"checksum {leg.checksum}"
    said = f"sequence {leg.sequence}, {checksum if leg.checksum_holds else f'{_LOUD} {checksum} DOES NOT HOLD {_LOUD}'}"
    if leg.received_age_ms is None:
        return said
    return f"from a frame of {seconds(leg.received_age_ms)} ago, {said}"


def _beat(connection: str, beat: BeatSeen | None) -> str:
    name = f"connection {visible(connection)}"
    if beat is None:
        return f"{name}: {_LOUD} no beat of it lately {_LOUD}"
    frame = "no frame yet" if beat.frame_age_ms < 0 else f"last frame {beat.frame_age_ms} ms before"
    said = f"{name}: {beat.state}, beat {seconds(beat.age_ms)} ago, {frame}, lag {beat.lag_ms} ms"
    if beat.age_ms > _SILENT_MS:
        said += f" {_LOUD} the feed is silent {_LOUD}"
    if not beat.same_process:
        said += f" {_LOUD} the quote is from before the feed's restart {_LOUD}"
    return said


def _ladder(legs: tuple[LegBook, ...]) -> Iterator[str]:
    """Yield asks down to the best one, then bids from the best one down, a column per leg."""
    yield f"  {'':<8}{''.join(_column(leg.venue.value) for leg in legs)}".rstrip()
    asks = list(zip_longest(*(leg.yes_asks for leg in legs)))
    for rows, side in ((asks[::-1], "YES ask"), (list(zip_longest(*(leg.yes_bids for leg in legs))), "YES bid")):
        for row in rows:
            yield f"  {side:<8}{''.join(_column(_level(level)) for level in row)}".rstrip()


def _level(level: Level | None) -> str:
    return "" if level is None else f"{level[0]:.4f} x {level[1].normalize():f}"


def _column(text: str) -> str:
    return f"  {text:<{_WIDTH}}"
