"""What a book from ``POST /books`` does to a kept book: replace it, confirm it, or tell that it is wrong.

REST answers from its own view of the book, which may be older or newer than the connection's. The venue's
timestamp decides; with equal timestamps the contents do. One known fault of the endpoint is a "ghost" book of
0.01 / 0.99 (py-clob-client issue #180, 2025-11-24): a spread of 90 cents or more is taken for unknown, not for an
answer.
"""

from enum import Enum

import msgspec

from shared.domain.numbers import ONE_DOLLAR_E4, NumberRefused
from shared.venues.polymarket.asset_book import AssetBook, Phase
from shared.venues.polymarket.book_keeping import BookKeeper
from shared.venues.polymarket.levels import Side, read_asks, read_bids
from shared.venues.polymarket.rest import RestBook
from shared.venues.polymarket.schema import FrameRefused, Refusal, timestamp_ms

_GHOST_SPREAD_E4 = 9_000


class RestVerdict(Enum):
    """How a REST book compares with the kept one."""

    AGREES = "agrees"
    REPLACED = "replaced"
    DIFFERS = "differs"
    NEWER = "newer"
    """REST is ahead and shows another book: the connection is slow, or dead."""
    OLDER = "older"
    UNKNOWN = "unknown"
    """Nothing can be said: not kept, inside a burst, or no answer to rely on."""


def apply_rest_book(keeper: BookKeeper, rest: RestBook, received_ts_ns: int) -> RestVerdict:
    """Take over a REST book unless the connection knows better; a lost book is whole again by it."""
    asset = keeper.assets.get(rest.asset_id)
    ts_ms = timestamp_ms(rest.timestamp)
    if asset is None or asset.phase is Phase.ENDED or keeper.trust.names_wrong_market(asset, rest.market):
        return RestVerdict.UNKNOWN
    sides = _sides(keeper, rest)
    if ts_ms < 0 or sides is None:
        return RestVerdict.UNKNOWN
    if not _is_plausible(*sides) and not (asset.phase is Phase.LIVE and asset.holds(*sides)):
        return RestVerdict.UNKNOWN  # no answer by itself, but as good as any where the connection says the same
    is_proved_newest = asset.phase is Phase.LIVE and asset.verified == "hash" and ts_ms == asset.ts_ms
    agrees = asset.phase is not Phase.AWAITING and asset.holds(*sides)
    if asset.phase is Phase.LIVE and agrees:
        asset.forgive_misses()
        _learn(asset, rest)
        if asset.is_doubted:
            keeper.trust.end_doubt(asset)
    elif is_proved_newest or ts_ms < asset.ts_ms:
        keeper.trust.refused[Refusal.OLDER] += 1
        return RestVerdict.OLDER
    else:
        keeper.trust.resyncs += asset.phase is Phase.LIVE and asset.misses > 0
        _learn(asset, rest)
        asset.replace(rest.bids, rest.asks, ts_ms=ts_ms, sent_hash=rest.hash)
        keeper.trust.take_whole(asset, received_ts_ns, "rest")
        asset.misses = 0
        asset.is_proving = asset.is_checkable and asset.prove()
    return RestVerdict.AGREES if agrees else RestVerdict.REPLACED


def audit_rest_book(keeper: BookKeeper, rest: RestBook) -> RestVerdict:
    """Compare a REST book with the kept one, which stays as it is; learn what its hash covers when they agree."""
    asset = keeper.assets.get(rest.asset_id)
    ts_ms = timestamp_ms(rest.timestamp)
    if asset is None or asset.phase is not Phase.LIVE or ts_ms < 0:
        return RestVerdict.UNKNOWN
    sides = _sides(keeper, rest)
    if sides is None:
        return RestVerdict.UNKNOWN
    if asset.holds(*sides):
        _learn(asset, rest)
        return RestVerdict.AGREES
    if not _is_plausible(*sides):
        return RestVerdict.UNKNOWN
    if ts_ms == asset.ts_ms:
        return RestVerdict.OLDER if asset.verified == "hash" else RestVerdict.DIFFERS
    return RestVerdict.NEWER if ts_ms > asset.ts_ms else RestVerdict.OLDER


def _sides(keeper: BookKeeper, rest: RestBook) -> tuple[Side, Side] | None:
    """Return a REST book's sides, None (and counted) when they cannot be read."""
    try:
        return read_bids(rest.bids), read_asks(rest.asks)
    except NumberRefused:
        keeper.trust.refused[Refusal.BAD_NUMBER] += 1
    except FrameRefused as refused:
        keeper.trust.refused[refused.refusal] += 1
    return None


def _learn(asset: AssetBook, rest: RestBook) -> None:
    terms = msgspec.structs.replace(
        asset.terms, min_order_size=rest.min_order_size, tick_size=rest.tick_size, neg_risk=rest.neg_risk
    )
    asset.learn(terms, last_trade_price=rest.last_trade_price)


def _is_plausible(bids: Side, asks: Side) -> bool:
    """Whether the book is neither crossed nor a ghost."""
    bid_e4 = max(bids.sizes_e6, default=0)
    no_bid_e4 = max(asks.sizes_e6, default=0)
    return not bid_e4 or not no_bid_e4 or 0 < ONE_DOLLAR_E4 - no_bid_e4 - bid_e4 < _GHOST_SPREAD_E4
