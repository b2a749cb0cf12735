"""The rows of ``mappings/baskets.yaml``: which events' baskets a person has switched on, after reading their rules.

A row names one event, or a series and with it every event of the series. Whether an event then makes a basket is the
venue's own word; a row cannot replace it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from shared.domain.baskets import BasketKind
from shared.domain.market import Market, Venue

FILE = "baskets.yaml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class BasketRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``mappings/baskets.yaml``."""

    venue: Venue
    event: str = ""
    """Kalshi's event ticker or Polymarket's event id."""
    series: str = ""
    """Instead of ``event``: Kalshi's series ticker or Polymarket's series slug."""
    kind: BasketKind
    reviewed_by: str
    reviewed_at: datetime
    not_after: datetime | None = None
    """When the basket ends at the latest."""
    void_risk: str = ""
    """What happens on a void, where a market may settle at neither 0 nor 1: the detector's haircut then applies."""
    source: str
    """Where it is written that the outcomes exclude one another."""

    def __post_init__(self) -> None:
        if bool(self.event) == bool(self.series):
            raise ValueError("event and series: name one of the two")
        if not _NAME.fullmatch(self.event or self.series):
            raise ValueError(f"{self.event or self.series!r} is no event or series: letters, digits, . _ -")
        if self.kind is BasketKind.YES_AND_NO:
            raise ValueError(
                "yes_and_no cannot exist: on both venues NO is the mirror of YES, switch nothing on for it"
            )
        if self.kind is BasketKind.EVERY_YES and self.venue is Venue.KALSHI:
            raise ValueError("every_yes on kalshi: mutually_exclusive means at most one YES, not one; use every_no")
        for name, moment in (("reviewed_at", self.reviewed_at), ("not_after", self.not_after)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} has no time zone, end it with Z")
        if not self.reviewed_by.strip() or not self.source.strip():
            raise ValueError("reviewed_by or source is empty, say who has read the rules and where they are written")

    def is_about(self, market: Market) -> bool:
        """Return whether a market belongs to what the row switches on."""
        if market.venue is not self.venue:
            return False
        return market.event_id == self.event if self.event else market.series_id == self.series

    @property
    def origin(self) -> str:
        """Who switched this on, for alerts."""
        what = f"event {self.event}" if self.event else f"series {self.series}"
        return f"{FILE}, {what} ({self.reviewed_by}, {self.reviewed_at.isoformat()})"


class BasketsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``mappings/baskets.yaml``."""

    schema_version: Literal["1"]
    baskets: tuple[BasketRow, ...] | None = None
    """Absent or empty: nothing is switched on."""


def repeated(rows: Sequence[BasketRow]) -> Iterator[tuple[int, str]]:
    """Yield the index of every row that switches on again what an earlier one does, and what that is."""
    seen: set[tuple[str, ...]] = set()
    for index, row in enumerate(rows):
        key = (row.venue.value, "event" if row.event else "series", row.event or row.series, row.kind.value)
        if key in seen:
            yield index, " ".join(key)
        seen.add(key)
