"""Books that wait for something, and those that have waited too long."""

from shared.venues.polymarket.asset_book import AssetBook

HOLD_S = 0.25
"""What belongs to one operation of the venue comes within this time."""

Waiting = dict[AssetBook, float | None]
"""The moment until which each may wait, by a monotonic clock; None until the clock is first looked at."""


def overdue(waiting: Waiting, now_s: float, limit_s: float) -> list[AssetBook]:
    """Take out and return those that have waited ``limit_s``; the clock starts for those seen first now."""
    found = []
    for asset, deadline_s in waiting.items():
        if deadline_s is None:
            waiting[asset] = now_s + limit_s
        elif now_s >= deadline_s:
            found.append(asset)
    for asset in found:
        del waiting[asset]
    return found
