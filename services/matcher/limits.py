"""Limits that mapping rows and templates set, as they are written: text that becomes a number here."""

from decimal import Decimal

from shared.domain.numbers import NumberRefused, decimal_from_text


def notional_limit_dollars(text: str | None) -> Decimal | None:
    """Return the value of ``max_notional_usd``, None for no limit. Raises ValueError that names the field."""
    if text is None:
        return None
    try:
        return decimal_from_text(text)
    except NumberRefused as error:
        raise ValueError(f"max_notional_usd: {error}") from None
