"""Names of streams and keys are promises: other processes, versions and a Redis Cluster rely on them."""

import re

import pytest

from shared.contracts.envelope import Message
from shared.contracts.streams import (
    ALERTS,
    CATALOG,
    FEED_HEALTH,
    FIELD,
    OPPORTUNITIES,
    PAIRS,
    QUOTES,
    armed_key,
    book_key,
    dead_letter_name,
    executions,
    intents,
)
from shared.domain.market import Venue
from shared.domain.pair import PARTITIONS, partition_of

NAMES = [
    (CATALOG[Venue.KALSHI].name, "arb:v1:catalog:kalshi"),
    (CATALOG[Venue.POLYMARKET].name, "arb:v1:catalog:polymarket"),
    (CATALOG[Venue.KALSHI].hash_name, "arb:v1:markets:kalshi"),
    (CATALOG[Venue.POLYMARKET].hash_name, "arb:v1:markets:polymarket"),
    (PAIRS.name, "arb:v1:pairs"),
    (PAIRS.hash_name, "arb:v1:pair"),
    (QUOTES[Venue.KALSHI][0].name, "arb:v1:quotes:kalshi:{p00}"),
    (QUOTES[Venue.POLYMARKET][15].name, "arb:v1:quotes:polymarket:{p15}"),
    (book_key("kalshi", "KXFEDDECISION-26DEC-C25", 7), "arb:v1:book:{p07}:kalshi:KXFEDDECISION-26DEC-C25"),
    (book_key(Venue.POLYMARKET, "0xab", 12), "arb:v1:book:{p12}:polymarket:0xab"),
    (FEED_HEALTH.name, "arb:v1:feed_health"),
    (OPPORTUNITIES.name, "arb:v1:opportunities"),
    (OPPORTUNITIES.hash_name, "arb:v1:episodes"),
    (intents("main").name, "arb:v1:intents:main"),
    (executions("main").name, "arb:v1:executions:main"),
    (ALERTS.name, "arb:v1:alerts"),
    (armed_key("main"), "arb:v1:armed:main"),
    (dead_letter_name(intents("main")), "arb:v1:intents:main:dead"),
]


@pytest.mark.parametrize(("name", "promised"), NAMES, ids=[promised for _, promised in NAMES])
def test_a_name_stays(name: str, promised: str) -> None:
    assert name == promised


def test_the_field_of_an_entry_stays() -> None:
    assert FIELD == b"d"


def test_there_are_sixteen_partitions_for_ever() -> None:
    assert PARTITIONS == 16
    assert {len(parts) for parts in QUOTES.values()} == {16}


@pytest.mark.parametrize(
    ("pair_id", "part"),
    # From outside: the CRC in the last bytes of what `printf ID | gzip` writes, modulo 16.
    [("fed-2026-12-cut-25", 6), ("nba-bos-nyk-2026-11-20", 9), ("", 0)],
)
def test_a_pair_stays_in_its_partition(pair_id: str, part: int) -> None:
    assert partition_of(pair_id) == part


@pytest.mark.parametrize("part", range(PARTITIONS))
def test_both_legs_quotes_and_books_of_a_partition_share_one_hash_tag(part: int) -> None:
    """Redis hashes only what is between the first ``{`` and the next ``}``: the keys are then on one node."""
    keys = [QUOTES[venue][part].name for venue in Venue] + [book_key(venue, "M{x}", part) for venue in Venue]
    tags = [re.search(r"\{([^}]+)\}", key) for key in keys]
    assert [tag and tag[1] for tag in tags] == [f"p{part:02d}"] * 4


def test_streams_that_are_trimmed_by_their_writers_say_how_far() -> None:
    assert (CATALOG[Venue.KALSHI].keep, PAIRS.keep, QUOTES[Venue.KALSHI][3].keep) == (50_000, 10_000, 20_000)
    assert (FEED_HEALTH.keep, executions("main").keep) == (1_000, 100_000)


@pytest.mark.parametrize("stream", [OPPORTUNITIES, ALERTS, intents("main")], ids=repr)
def test_no_writer_trims_what_must_not_be_lost(stream: object) -> None:
    assert getattr(stream, "keep", None) == 0


def test_a_stream_shows_its_name() -> None:
    assert repr(PAIRS) == "Stream(arb:v1:pairs)"


def test_a_message_starts_with_an_empty_envelope() -> None:
    assert Message() == Message(v=1, src="", epoch="", pseq=0)
