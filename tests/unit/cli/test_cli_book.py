"""``dutchbook book``: what is on the bus about two books, in terms of Kalshi's YES, and what speaks against them."""

from decimal import Decimal

import msgspec
import pytest

from services.cli.book_legs import Books, LegBook, LegKey, asked_of, keys_of_market, leg_of, newest
from services.cli.book_text import lines_of
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import CandidateFound, PairActivated, PairRetired, PairSuspended
from shared.contracts.quotes import QuotesStale, QuoteText, levels_checksum
from shared.contracts.streams import book_key
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Orientation, PairId, partition_of
from tests.unit.arb_detector.scene import CONDITION, TICKER, pair

NOW_NS = 1_795_000_000_000_000_000
K, P = Venue.KALSHI, Venue.POLYMARKET
HOSTILE = "\x1b[2Jgone\x07\r\n\u202e"
BIDS, ASKS = (("0.38", "100"), ("0.37", "20")), (("0.41", "150.5"), ("0.43", "10"), ("0.44", "1"))


def ms(count: int) -> int:
    return count * 1_000_000


def quote(venue: Venue = K, **changes: object) -> QuoteText:
    base = QuoteText(
        epoch="feed-1",
        venue=venue.value,
        market_id=TICKER if venue is K else CONDITION,
        yes_bids=BIDS,
        yes_asks=ASKS,
        venue_ts_ms=1,
        received_ts_ns=NOW_NS - ms(1_250),
        published_ts_ns=NOW_NS - ms(1_240),
        verified="sequence" if venue is K else "hash",
        connection=f"{venue}-1",
        sequence=7,
        checksum=levels_checksum(BIDS, ASKS),
    )
    return msgspec.structs.replace(base, **changes)


def stale(reason: str = "gap: seq 4 after 2") -> QuotesStale:
    return QuotesStale(venue=K, market_ids=(TICKER,), reason=reason, published_ts_ns=NOW_NS - ms(3_200))


def beat(venue: Venue = K, **changes: object) -> FeedBeat:
    base = FeedBeat(
        epoch="feed-1",
        venue=venue,
        connection=f"{venue}-1",
        state="live",
        markets=1,
        books_live=1,
        frame_age_ms=5,
        data_age_ms=5,
        lag_ms=3,
        sent_ts_ns=NOW_NS - ms(400),
    )
    return msgspec.structs.replace(base, **changes)


def leg(message: object, *, mirrored: bool = False, most_levels: int | None = None, **of_beat: object) -> LegBook:
    """What a leg says whose key holds ``message``."""
    payload = message if isinstance(message, bytes) or message is None else msgspec.json.encode(message)
    key = LegKey(K, TICKER, 3, mirrored)
    return leg_of(key, payload, [beat(**of_beat)], now_ns=NOW_NS, most_levels=most_levels)


def books(*legs: LegBook, **changes: object) -> Books:
    base = Books(name="hou-por", title="Houston at Portland", state="live", orientation="same", legs=legs)
    return msgspec.structs.replace(base, **changes)


# --- which legs -------------------------------------------------------------------------------------------------------


def test_a_pairs_legs_are_in_its_own_partition_and_only_an_inverted_one_is_mirrored() -> None:
    for orientation, mirrored in ((Orientation.SAME, False), (Orientation.INVERTED, True)):
        found = pair(orientation=orientation)
        asked = asked_of(PairActivated(pair=found))
        assert asked is not None
        assert (asked.state, asked.orientation) == ("live", orientation.value)
        part = found.partition
        assert asked.legs == (LegKey(K, TICKER, part), LegKey(P, CONDITION, part, mirrored))
        assert asked.legs[1].name == book_key("polymarket", CONDITION, part)


def test_a_suspended_pair_says_why_and_a_candidate_that_nobody_approved_it() -> None:
    suspended = asked_of(PairSuspended(pair=pair(), reason="rules changed"))
    assert suspended is not None
    assert (suspended.state, suspended.reason) == ("suspended", "rules changed")
    found = CandidateFound(
        pair_id=PairId("maybe"),
        kalshi_ticker=TICKER,
        polymarket_id=CONDITION,
        orientation=Orientation.INVERTED,
        relation="equivalent",
        score=Decimal("0.8"),
        kalshi_title="A",
        polymarket_title="B",
    )
    candidate = asked_of(found)
    assert candidate is not None
    assert (candidate.state, candidate.title) == ("candidate", "A ~ B")
    assert candidate.legs[1] == LegKey(P, CONDITION, partition_of("maybe"), mirrored=True)
    assert asked_of(PairRetired(pair_id=PairId("over"), reason="closed")) is None


def test_of_a_markets_partitions_the_newest_word_counts_also_a_withdrawal() -> None:
    keys = keys_of_market(TICKER)
    assert len({key.name for key in keys}) == 32
    payloads: list[bytes | None] = [None] * 32
    assert newest(keys, payloads) is None
    payloads[2], payloads[9] = b"{", msgspec.json.encode(stale())
    payloads[5] = msgspec.json.encode(quote())
    found = newest(keys, payloads)
    assert found == (keys[5], payloads[5])
    payloads[9] = msgspec.json.encode(msgspec.structs.replace(stale(), published_ts_ns=NOW_NS))
    assert newest(keys, payloads) == (keys[9], payloads[9])
    assert newest(keys[:3], payloads[:3]) == (keys[2], b"{")


# --- what a leg says --------------------------------------------------------------------------------------------------


def test_a_quoted_leg_has_its_levels_its_evidence_and_its_connections_beat() -> None:
    found = leg(quote())
    assert (found.state, found.verified, found.sequence, found.checksum_holds) == ("quoted", "sequence", 7, True)
    assert found.yes_bids == ((Decimal("0.38"), Decimal(100)), (Decimal("0.37"), Decimal(20)))
    assert found.yes_asks[0] == (Decimal("0.41"), Decimal("150.5"))
    assert (found.received_age_ms, found.published_age_ms) == (1_250, 1_240)
    assert found.beat is not None
    assert (found.beat.state, found.beat.age_ms, found.beat.same_process) == ("live", 400, True)
    assert len(leg(quote(), most_levels=2).yes_asks) == 2


def test_a_mirrored_leg_bids_what_the_other_outcome_is_asked_for() -> None:
    found = leg(quote(), mirrored=True)
    assert found.yes_bids == tuple(
        (Decimal(price), Decimal(size)) for price, size in (("0.59", "150.5"), ("0.57", "10"), ("0.56", "1"))
    )
    assert found.yes_asks == ((Decimal("0.62"), Decimal(100)), (Decimal("0.63"), Decimal(20)))
    assert found.checksum_holds, "the checksum is of the book as it was written"
    assert leg(quote(), mirrored=True, most_levels=1).yes_bids == found.yes_bids[:1]


@pytest.mark.parametrize(
    ("payload", "state", "reason"),
    [
        (None, "missing", "no quote yet"),
        (b"{", "unreadable", "truncated"),
        (b'{"type":"quote"}', "unreadable", "missing required field"),
        (quote(yes_bids=(("NaN", "1"),)), "unreadable", "NaN"),
        (stale(), "withdrawn", "gap: seq 4 after 2"),
    ],
)
def test_a_leg_without_a_book_says_why(payload: object, state: str, reason: str) -> None:
    found = leg(payload)
    assert (found.state, found.yes_asks, found.yes_bids, found.beat) == (state, (), (), None)
    assert reason in found.reason


def test_only_a_beat_of_the_quotes_own_venue_and_connection_counts_and_the_newest_of_them() -> None:
    payload, key = msgspec.json.encode(quote()), LegKey(K, TICKER, 3)
    beats = [beat(P, connection="kalshi-1"), beat(connection="kalshi-2"), beat(lag_ms=1), beat(lag_ms=9)]
    found = leg_of(key, payload, beats, now_ns=NOW_NS, most_levels=None)
    assert found.beat is not None
    assert found.beat.lag_ms == 1
    assert leg_of(key, payload, beats[:2], now_ns=NOW_NS, most_levels=None).beat is None


# --- text -------------------------------------------------------------------------------------------------------------


def test_two_books_stand_side_by_side_with_the_best_prices_in_the_middle() -> None:
    other = leg_of(
        LegKey(P, CONDITION, 3),
        msgspec.json.encode(quote(P, yes_bids=(("0.47", "50"),), yes_asks=())),
        [],
        now_ns=NOW_NS,
        most_levels=None,
    )
    lines = lines_of(books(leg(quote(), most_levels=2), other))
    assert lines[0] == "hou-por  Houston at Portland"
    assert lines[1].endswith("verified by sequence, written 1.2 s ago, from a frame of 1.2 s ago, sequence 7, "
                             f"checksum {levels_checksum(BIDS, ASKS)}")  # fmt: skip
    assert lines[2].endswith("connection kalshi-1: live, beat 0.4 s ago, last frame 5 ms before, lag 3 ms")
    assert lines[4].endswith("!!! no beat of it lately !!!")
    assert [line.split() for line in lines[6:]] == [
        ["kalshi", "polymarket"],
        ["YES", "ask", "0.4300", "x", "10"],
        ["YES", "ask", "0.4100", "x", "150.5"],
        ["YES", "bid", "0.3800", "x", "100", "0.4700", "x", "50"],
        ["YES", "bid", "0.3700", "x", "20"],
    ]
    assert lines[6].index("polymarket") == lines[9].index("0.4700")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (leg(stale()), "!!! WITHDRAWN 3.2 s ago: gap: seq 4 after 2 !!!"),
        (leg(b"{"), "!!! CANNOT BE READ: "),
        (leg(quote(checksum=1)), "!!! checksum 1 DOES NOT HOLD !!!"),
        (leg(quote(), sent_ts_ns=NOW_NS - ms(2_600)), "!!! the feed is silent !!!"),
        (leg(quote(epoch="feed-0")), "!!! the quote is from before the feed's restart !!!"),
        (leg(quote(verified="")), "verified by nothing"),
        (leg(quote(), frame_age_ms=-1), "no frame yet"),
        (leg(None), "no quote yet"),
    ],
)
def test_what_speaks_against_a_book_is_loud(found: LegBook, says: str) -> None:
    lines = lines_of(books(found))
    assert any(says in line for line in lines)
    assert ("" in lines) == (found.state == "quoted"), "without a book there is no ladder"


def test_what_holds_is_not_loud() -> None:
    assert "!!!" not in "\n".join(lines_of(books(leg(quote()))))


def test_a_pair_that_is_turned_round_suspended_or_a_candidate_says_so() -> None:
    legs = (leg(quote(), mirrored=True),)
    assert "inverted: Polymarket's book is mirrored" in lines_of(books(*legs, orientation="inverted"))[1]
    assert lines_of(books(*legs, state="suspended", reason="rules changed"))[1] == (
        "  !!! the pair is suspended: rules changed"
    )
    assert lines_of(books(*legs, state="candidate", reason="nobody"))[1] == "  nobody"


def test_hostile_words_are_text() -> None:
    found = books(
        leg(quote(verified=HOSTILE, connection=HOSTILE, market_id=MarketId(HOSTILE))),
        leg(stale(HOSTILE)),
        name=HOSTILE,
        title=HOSTILE,
        state="suspended",
        reason=HOSTILE,
    )
    assert all(line.isprintable() for line in lines_of(found))
