"""``mappings/fees.yaml``: what venues charge markets that name no terms of their own, each rate with date and source.

The matcher checks the file with the rest of ``mappings/``; the Polymarket feed prices by it what nothing else prices.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from shared.domain.fees import FALLBACK_SOURCE, PolymarketFees
from shared.domain.numbers import decimal_from_text
from shared.io.yaml_strict import LARGEST_BYTES, YamlRefused, convert, parse

UNKNOWN_CATEGORY = "unknown"


class FeeRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue charges from one day on, for markets whose own terms are missing."""

    fee_type: str = ""
    """Kalshi's fee type."""
    category: str = ""
    """Polymarket's category."""
    taker_rate: str
    maker_rate: str = "0"
    effective_from: date
    source: str

    def __post_init__(self) -> None:
        decimal_from_text(self.taker_rate)
        decimal_from_text(self.maker_rate)
        if bool(self.fee_type) == bool(self.category) or not self.source:
            raise ValueError("a fee needs a source and either fee_type (Kalshi) or category (Polymarket)")


class FeesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``mappings/fees.yaml``."""

    schema_version: Literal["1"]
    kalshi: tuple[FeeRate, ...]
    polymarket: tuple[FeeRate, ...]


def read_fees(path: Path) -> FeesFile:
    """Return the file. Raises OSError when it cannot be read, YamlRefused when it is not what it must be."""
    content = path.read_bytes()
    if len(content) > LARGEST_BYTES:
        raise YamlRefused(path.name, 1, f"{len(content)} bytes, expected at most {LARGEST_BYTES}")
    return convert(parse(path.name, content), FeesFile)


def category_fees(rates: Iterable[FeeRate], categories: Iterable[str], *, on: date) -> PolymarketFees | None:
    """Return what these categories paid on a day: the dearest of those that are known, else of an unknown one.

    None when the file has no rate in force for any of them.
    """
    in_force: dict[str, FeeRate] = {}
    for rate in sorted(rates, key=lambda rate: rate.effective_from):
        if rate.effective_from <= on:
            in_force[rate.category] = rate
    named = [in_force[name] for category in categories if (name := category.strip().lower()) in in_force]
    found = named or [in_force[name] for name in (UNKNOWN_CATEGORY,) if name in in_force]
    if not found:
        return None
    dearest = max(found, key=lambda rate: Decimal(rate.taker_rate))
    return PolymarketFees(
        rate=Decimal(dearest.taker_rate),
        effective_from=dearest.effective_from,
        source=f"{FALLBACK_SOURCE}, {dearest.category}: {dearest.source}",
    )
