"""Laws of the messages: one set of bytes for both kinds of quote, and a count of what never arrived."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.envelope import Message, SequenceWatch
from shared.contracts.quotes import (
    Quote,
    QuoteMessage,
    QuotesStale,
    QuoteText,
    QuoteTextMessage,
    levels_checksum,
)
from shared.domain.market import MarketId, Venue
from shared.domain.numbers import price_text, size_text

prices = st.integers(1, 9_999).map(price_text)
sizes = st.integers(1, 10**12).map(size_text)
sides = st.lists(st.tuples(prices, sizes), max_size=10).map(tuple)
stamps = st.integers(0, 2**62)
names = st.text(st.characters(codec="utf-8"), max_size=40)
quotes = st.builds(
    QuoteText,
    src=names,
    epoch=names,
    pseq=stamps,
    venue=st.sampled_from([str(venue) for venue in Venue]),
    market_id=names.map(MarketId),
    yes_bids=sides,
    yes_asks=sides,
    venue_ts_ms=stamps,
    received_ts_ns=stamps,
    published_ts_ns=stamps,
    verified=st.sampled_from(["sequence", "hash", "top", "rest"]),
    connection=names,
    sequence=stamps,
    checksum=st.integers(0, 2**32 - 1),
)
QUOTE: msgspec.json.Decoder[QuoteMessage] = msgspec.json.Decoder(QuoteMessage)
TEXT: msgspec.json.Decoder[QuoteTextMessage] = msgspec.json.Decoder(QuoteTextMessage)


def test_both_kinds_of_quote_have_the_same_fields_tag_and_defaults() -> None:
    def shape(kind: type[Message]) -> list[tuple[str, str, bool, Any]]:
        return [(one.name, one.encode_name, one.required, one.default) for one in msgspec.structs.fields(kind)]

    assert shape(Quote) == shape(QuoteText)
    assert Quote.__struct_config__.tag == QuoteText.__struct_config__.tag == "quote"
    assert Quote.__struct_config__.omit_defaults == QuoteText.__struct_config__.omit_defaults


@given(quotes)
def test_a_quote_written_as_text_is_the_same_bytes_as_the_contract(text: QuoteText) -> None:
    sent = msgspec.json.encode(text)
    quote = QUOTE.decode(sent)
    assert isinstance(quote, Quote)
    assert msgspec.json.encode(quote) == sent
    assert TEXT.decode(msgspec.json.encode(quote)) == text


@given(quotes)
def test_the_checksum_is_the_same_from_both_kinds(text: QuoteText) -> None:
    quote = QUOTE.decode(msgspec.json.encode(text))
    assert isinstance(quote, Quote)
    bids, asks = (tuple((str(price), str(size)) for price, size in side) for side in (quote.yes_bids, quote.yes_asks))
    assert levels_checksum(bids, asks) == levels_checksum(text.yes_bids, text.yes_asks)


@given(sides, sides)
def test_the_checksum_tells_bids_from_asks(
    bids: tuple[tuple[str, str], ...], asks: tuple[tuple[str, str], ...]
) -> None:
    same = levels_checksum(bids, asks) == levels_checksum(asks, bids)
    assert same == (bids == asks)


def test_the_loss_of_trust_reads_the_same_for_both() -> None:
    stale = QuotesStale(venue=Venue.KALSHI, market_ids=(MarketId("A"),), reason="gap", published_ts_ns=1)
    assert QUOTE.decode(msgspec.json.encode(stale)) == TEXT.decode(msgspec.json.encode(stale)) == stale


def message(pseq: int, *, src: str = "kalshi_feed", epoch: str = "e1") -> Message:
    return Message(src=src, epoch=epoch, pseq=pseq)


@given(st.lists(st.integers(1, 60)))
def test_what_is_seen_or_behind_is_a_repeat_and_what_a_jump_skips_is_lost(pseqs: list[int]) -> None:
    """The same written the plain way: news is whatever is higher than all before it."""
    watch = SequenceWatch()
    news = []
    for pseq in pseqs:
        repeat = watch.is_repeat("s", message(pseq))
        assert repeat == (bool(news) and pseq <= max(news))
        if not repeat:
            news.append(pseq)
    assert watch.lost == (news[-1] - news[0] + 1 - len(news) if news else 0)


@given(st.lists(st.booleans(), min_size=1))
def test_every_message_that_is_dropped_before_the_last_is_counted_once(arrives: list[bool]) -> None:
    """A reader knows of the first message and of the last; what lies between and did not come is lost."""
    watch = SequenceWatch()
    watch.is_repeat("s", message(1))
    for pseq, there in enumerate(arrives, start=2):
        if there:
            assert not watch.is_repeat("s", message(pseq))
            assert watch.is_repeat("s", message(pseq))
    watch.is_repeat("s", message(len(arrives) + 2))
    assert watch.lost == arrives.count(False)


def test_writers_epochs_and_streams_are_counted_apart() -> None:
    watch = SequenceWatch()
    assert not watch.is_repeat("s", message(5))
    assert not watch.is_repeat("s", message(1, epoch="e2"))
    assert not watch.is_repeat("s", message(1, src="polymarket_feed"))
    assert not watch.is_repeat("t", message(1))
    assert not watch.is_repeat("s", message(6))
    assert watch.lost == 0


def test_a_reader_that_joins_late_has_lost_nothing() -> None:
    watch = SequenceWatch()
    assert not watch.is_repeat("s", message(1_000))
    assert watch.lost == 0
