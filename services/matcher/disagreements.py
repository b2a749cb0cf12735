"""Pairs that were approved and settled differently: each is kept as a file, suspends its series, and is a test case.

``mappings/disagreements/*.yaml`` is written by the matcher and read with the other mappings, so that the record, the
suspension and the test are one thing. A person ends the suspension by saying who has understood what went wrong.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from services.matcher.mapping_text import table_lines
from services.matcher.settlement import Paid
from shared.domain.market import Market
from shared.domain.numbers import decimal_from_text
from shared.domain.pair import Orientation, Pair

FOLDER = "disagreements"
_UNSAFE = re.compile(r"[^a-z0-9._~-]+")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class SettledSide(_Table, frozen=True, kw_only=True):
    """One venue's market as it was last listed, and what it paid."""

    market_id: str
    title: str = ""
    label: str = ""
    outcomes: tuple[str, ...] = ()
    slug: str = ""
    rules_text: str = ""
    """Empty when the matcher did not see the listing in its life-time."""
    yes_paid_dollars: str
    """For Polymarket: what outcome 0 paid."""

    def __post_init__(self) -> None:
        decimal_from_text(self.yes_paid_dollars)


class Disagreement(_Table, frozen=True, kw_only=True):
    """An approved pair whose two markets paid differently."""

    pair_id: str
    series: str
    """The Kalshi series that is suspended."""
    status: Literal["open", "understood"]
    """``understood`` lifts the suspension; it needs ``understood_by`` and ``note``."""
    understood_by: str | None = None
    note: str = ""
    found_at: datetime
    orientation: Orientation
    source: str
    """What made the pair."""
    kalshi: SettledSide
    polymarket: SettledSide

    def __post_init__(self) -> None:
        if self.found_at.tzinfo is None:
            raise ValueError("found_at has no time zone, end it with Z")
        if not self.series:
            raise ValueError("series is empty, name the Kalshi series that this is about")
        if self.status == "understood" and not (self.understood_by and self.note):
            raise ValueError("understood without understood_by and note, say who found what")

    @property
    def reason(self) -> str:
        """Why the series is suspended."""
        return (
            f"series {self.series} is suspended: {self.pair_id} paid {self.kalshi.yes_paid_dollars} on kalshi and "
            f"{self.polymarket.yes_paid_dollars} for outcome 0 on polymarket ({self.orientation.value}); "
            f"see mappings/{FOLDER}/{file_name(self)}"
        )


class DisagreementsFile(_Table, frozen=True, kw_only=True):
    """One file of ``mappings/disagreements/``."""

    schema_version: Literal["1"]
    disagreement: Disagreement


def disagreement(
    pair: Pair, series: str, paid: Paid, listings: tuple[Market | None, Market | None], now: datetime
) -> Disagreement:
    """Return the record of a pair whose results differ; ``listings`` are the last ones seen, Kalshi's first."""
    kalshi, polymarket = listings
    return Disagreement(
        pair_id=pair.pair_id,
        series=series,
        status="open",
        found_at=now.astimezone(UTC).replace(microsecond=0),
        orientation=pair.orientation,
        source=pair.source,
        kalshi=_side(pair.kalshi_ticker, pair.title, kalshi, f"{paid.kalshi_yes_dollars:f}"),
        polymarket=_side(pair.polymarket_id, "", polymarket, f"{paid.polymarket_outcome_0_dollars:f}"),
    )


def file_name(record: Disagreement) -> str:
    """Return the name of a record's file; pair ids are plain text already."""
    return f"{_UNSAFE.sub('-', record.pair_id)}.yaml"


def disagreement_yaml(record: Disagreement) -> str:
    """Return a record as the text of its file."""
    head = (
        "# Written by the matcher: two markets that were paired paid differently. The series stays suspended until\n"
        "# somebody sets status to understood, with understood_by and a note. Keep the file: it is a test case.\n"
    )
    lines = table_lines(msgspec.to_builtins(record), 2)
    return f"{head}schema_version: 1\ndisagreement:\n" + "".join(f"{line}\n" for line in lines)


def path_of(folder: Path, record: Disagreement) -> Path:
    """Return where a record is kept inside the folder of mappings."""
    return folder / FOLDER / file_name(record)


def _side(market_id: str, title: str, market: Market | None, paid: str) -> SettledSide:
    if market is None:
        return SettledSide(market_id=market_id, title=title, yes_paid_dollars=paid)
    return SettledSide(
        market_id=market_id,
        title=market.title,
        label=market.outcome_label,
        outcomes=market.outcomes,
        slug=market.slug,
        rules_text=market.rules_text,
        yes_paid_dollars=paid,
    )
