"""The quick way to write a quote writes what msgspec writes."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.quote_text import QuoteWriter
from shared.contracts.quotes import QuoteText, levels_checksum
from shared.domain.market import MarketId
from shared.domain.numbers import price_text, size_text

levels = st.lists(st.tuples(st.integers(1, 9_999), st.integers(1, 10**13)), max_size=12)
moments = st.integers(0, 2**62)


@given(levels, levels, st.tuples(st.text(max_size=20), st.text(max_size=20)), moments, st.integers(1, 2**40))
def test_a_quote_is_written_as_its_contract_would_be(
    yes_bids: list[tuple[int, int]], no_bids: list[tuple[int, int]], names: tuple[str, str], ns: int, pseq: int
) -> None:
    market, link = names
    bids = tuple((price_text(price), size_text(size)) for price, size in yes_bids)
    asks = tuple((price_text(10_000 - price), size_text(size)) for price, size in no_bids)
    quote = QuoteText(
        src="kalshi_feed",
        epoch="e1",
        pseq=pseq,
        venue="kalshi",
        market_id=MarketId(market),
        yes_bids=bids,
        yes_asks=asks,
        venue_ts_ms=ns // 1_000_000,
        received_ts_ns=ns,
        published_ts_ns=ns + 1,
        verified="sequence",
        connection=link,
        sequence=pseq + 7,
        checksum=levels_checksum(bids, asks),
    )
    writer = QuoteWriter(src="kalshi_feed", epoch="e1", venue="kalshi")
    for _ in range(2):  # the second time out of the tables
        body = writer.body(
            market,
            yes_bids,
            no_bids,
            venue_ts_ms=ns // 1_000_000,
            received_ts_ns=ns,
            published_ts_ns=ns + 1,
            verified="sequence",
            connection=link,
            sequence=pseq + 7,
        )
        assert writer.message(pseq, body) == msgspec.json.encode(quote)
