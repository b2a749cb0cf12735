"""The strict number gate: venue text becomes a scaled integer or a ``Decimal`` here, and nowhere else.

Prices are ten-thousandths of a dollar (``_e4``), sizes are millionths of a contract (``_e6``), money is
ten-billionths of a dollar (``_e10``), so that price times size is exact. A text passes when it is a plain
decimal number of at most nine whole and six fractional ASCII digits; ``NaN``, exponents, underscores, spaces,
signs where none belong and other scripts' digits are refused by name.
"""

import re
from decimal import Decimal
from enum import StrEnum

from shared.domain.memo import Memo

ONE_DOLLAR_E4 = 10_000
ONE_CONTRACT_E6 = 1_000_000
ONE_DOLLAR_E10 = 10_000_000_000

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,6}))?")
_FINE = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,18})?")
_LONG = re.compile(r"(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
_SHOWN_CHARACTERS = 40


class NumberFault(StrEnum):
    """Why a text was refused."""

    NOT_PLAIN = "not a plain decimal number"
    OFF_GRID = "finer than the smallest unit"
    OUT_OF_RANGE = "outside the allowed range"


class NumberRefused(ValueError):
    """A text did not become a number; ``fault`` says why and ``text`` is what came, shortened."""

    def __init__(self, fault: NumberFault, text: object) -> None:
        shown = repr(text)
        self.fault = fault
        self.text = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
        super().__init__(f"{self.text}: {fault}")


def decimal_from_text(text: str, *, signed: bool = False) -> Decimal:
    """Return the exact value of ``text``; ``signed`` admits one leading minus.

    Raises NumberRefused.
    """
    _match(text, signed=signed)
    return Decimal(text)


def fine_decimal_from_text(text: str) -> Decimal:
    """Return the exact value of ``text`` with up to 18 fractional digits: a rate or a limit, not a price or size.

    Raises NumberRefused.
    """
    if _FINE.fullmatch(text) is None:
        raise NumberRefused(_fault_of(text, digits=18), text)
    return Decimal(text)


def scaled_from_text(text: str, *, digits: int, signed: bool = False) -> int:
    """Return ``text`` in units of ten to the minus ``digits`` (at most 6), exactly.

    Raises NumberRefused when the text is no plain number or is finer than one unit.
    """
    whole, fraction, negative = _match(text, signed=signed)
    if fraction[digits:].strip("0"):
        raise NumberRefused(NumberFault.OFF_GRID, text)
    magnitude = int(whole + fraction[:digits].ljust(digits, "0"))
    return -magnitude if negative else magnitude


def price_e4(text: str) -> int:
    """Return a price from 0 to 1 dollar in ten-thousandths; both ends are allowed (a venue's "no quote")."""
    price = scaled_from_text(text, digits=4)
    if price > ONE_DOLLAR_E4:
        raise NumberRefused(NumberFault.OUT_OF_RANGE, text)
    return price


def level_price_e4(text: str) -> int:
    """Return the price of a book level in ten-thousandths: strictly between 0 and 1 dollar."""
    price = price_e4(text)
    if not 0 < price < ONE_DOLLAR_E4:
        raise NumberRefused(NumberFault.OUT_OF_RANGE, text)
    return price


def size_e6(text: str) -> int:
    """Return a size of zero or more contracts in millionths."""
    return scaled_from_text(text, digits=6)


def signed_size_e6(text: str) -> int:
    """Return a change in contracts, which may be negative, in millionths."""
    return scaled_from_text(text, digits=6, signed=True)


def price_text(value_e4: int) -> str:
    """Return a price as decimal dollars without trailing zeros: 4200 -> ``"0.42"``."""
    return scaled_text(value_e4, digits=4)


def size_text(value_e6: int) -> str:
    """Return a size as decimal contracts without trailing zeros: 120500000 -> ``"120.5"``."""
    return scaled_text(value_e6, digits=6)


def money_text(value_e10: int) -> str:
    """Return money as decimal dollars without trailing zeros."""
    return scaled_text(value_e10, digits=10)


def scaled_text(value: int, *, digits: int) -> str:
    """Return ``value`` units of ten to the minus ``digits`` as decimal text without trailing zeros."""
    if value < 0:
        return "-" + scaled_text(-value, digits=digits)
    whole, fraction = divmod(value, 10**digits)
    return f"{whole}.{str(fraction).zfill(digits).rstrip('0')}" if fraction else str(whole)


def price_dollars(value_e4: int) -> Decimal:
    """Return a price in ``Decimal`` dollars."""
    return Decimal(price_text(value_e4))


def size_contracts(value_e6: int) -> Decimal:
    """Return a size in ``Decimal`` contracts."""
    return Decimal(size_text(value_e6))


def money_dollars(value_e10: int) -> Decimal:
    """Return money in ``Decimal`` dollars."""
    return Decimal(money_text(value_e10))


def _match(text: str, *, signed: bool) -> tuple[str, str, bool]:
    negative = signed and text[:1] == "-"
    found = _PLAIN.fullmatch(text[1:] if negative else text)
    if found is None:
        raise NumberRefused(_fault_of(text[negative:], digits=6), text)
    return found[1], found[2] or "", negative


def _fault_of(text: str, *, digits: int) -> NumberFault:
    """Say what keeps ``text`` from passing: its form, or only that it is too fine or too great."""
    found = _LONG.fullmatch(text)
    if found is None:
        return NumberFault.NOT_PLAIN
    return NumberFault.OFF_GRID if found[1] and len(found[1]) > digits else NumberFault.OUT_OF_RANGE


LEVEL_PRICE_E4 = Memo(level_price_e4)
"""Prices of book levels by their text."""
SIZE_E6 = Memo(size_e6)
"""Sizes by their text."""
SIGNED_SIZE_E6 = Memo(signed_size_e6)
"""Changes of a level by their text."""
