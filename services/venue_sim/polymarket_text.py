"""Numbers as Polymarket writes them, and the fixed parts of its JSON.

Level prices and sizes carry no trailing zeros (``0.1``, ``220045``, ``422.69``) whatever the tick; the last trade
price is padded to at least three decimals (``0.920``). Seen in every recording from March to September 2026.
The simulator has its own conversions because it shares no code with what it tests.
"""

from functools import lru_cache

DOLLAR_E4 = 10_000


@lru_cache(maxsize=20_001)
def price_text(price_e4: int) -> str:
    """Write a price in ten-thousandths of a dollar without trailing zeros."""
    whole, fraction = divmod(price_e4, DOLLAR_E4)
    return f"{whole}.{fraction:04d}".rstrip("0").rstrip(".")


@lru_cache(maxsize=65_536)
def size_text(size_e6: int) -> str:
    """Write a size in millionths of a share without trailing zeros."""
    whole, fraction = divmod(size_e6, 1_000_000)
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".") if fraction else str(whole)


def last_price_text(price_e4: int | None) -> str:
    """Write a last trade price with three decimals, four where the tick needs them; empty without a trade."""
    if price_e4 is None:
        return ""
    text = f"0.{price_e4:04d}" if price_e4 < DOLLAR_E4 else "1.0000"
    return text.removesuffix("0")


def price_e4(text: str) -> int:
    """Read a price text back into ten-thousandths. Raises ValueError when it is finer than that."""
    return _scaled(text, 4)


def size_e6(text: str) -> int:
    """Read a size text back into millionths. Raises ValueError when it is finer than that."""
    return _scaled(text, 6)


def _scaled(text: str, decimals: int) -> int:
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdecimal() or len(fraction.rstrip("0")) > decimals:
        raise ValueError(f"not a plain number with at most {decimals} decimals: {text!r}")
    return int((whole or "0") + fraction[:decimals].ljust(decimals, "0"))
