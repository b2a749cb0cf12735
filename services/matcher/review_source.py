"""What the bus knows about the pairs that a reviewer may look at: the queue, and both listings of one case."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.matcher.mapping_files import Mappings
from services.matcher.mapping_rows import CuratedRow
from services.matcher.review import Case, case_of
from services.matcher.review_files import Key, ReviewRefused, row_about
from shared.contracts.catalog import MarketChanged, MarketListed
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.contracts.streams import CATALOG, PAIRS
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import PairId
from shared.io.bus import Client, Profile, connect, load_latest

_JOINED = "~"


class _Subject(NamedTuple):
    pair_id: str
    key: Key
    state: str
    reason: str


class Queue(NamedTuple):
    """What awaits a person, and what cannot be shown."""

    cases: list[Case]
    unreadable: list[str]
    """Listings that cannot be read, each with what is wrong; their pairs are not among the cases."""


async def read_cases(url: str, mappings: Mappings, wanted: str = "") -> Queue:
    """Return the cases that await a person, or the one that ``wanted`` names.

    ``wanted`` is a pair's id as ``pairs list`` shows it, the id of a row, or ``TICKER~CONDITION_ID``. Raises
    ReviewRefused when it names nothing, or nothing that both venues list, or a listing that cannot be read. A queue
    leaves out what is not listed and names what cannot be read.
    """
    redis = connect(url, Profile.WRITER)
    try:
        said, _ = await load_latest(redis, PAIRS)
        subjects = [_named(wanted, said, mappings)] if wanted else _queue(said, mappings)
        payloads = [await _payloads(redis, venue, subjects) for venue in Venue]
    finally:
        await redis.aclose()
    found = Queue([], [])
    for subject, *listed in zip(subjects, *payloads, strict=True):
        try:
            kalshi, polymarket = (
                _market(venue, market_id, payload)
                for venue, market_id, payload in zip(Venue, subject.key, listed, strict=True)
            )
        except ReviewRefused as refused:
            if wanted:
                raise
            found.unreadable.append(f"{subject.pair_id}: {refused}")
            continue
        if kalshi is not None and polymarket is not None:
            facts = {"state": subject.state, "reason": subject.reason}
            row = _row(mappings, subject.key)
            found.cases.append(case_of(subject.pair_id, (kalshi, polymarket), row, mappings, **facts))
        elif wanted:
            raise ReviewRefused(_not_listed(subject, kalshi))
    return found


def _row(mappings: Mappings, key: Key) -> CuratedRow | None:
    placed = row_about(mappings, key)
    return placed.row if placed is not None else None


def _queue(said: dict[str, PairMessage], mappings: Mappings) -> list[_Subject]:
    """Return what awaits a person: candidates, pairs that are suspended until a review, reviews half done."""
    subjects = {subject.key: subject for subject in map(_subject_of, said.values()) if subject is not None}
    waiting = {key: subject for key, subject in subjects.items() if subject.state in ("candidate", "suspended")}
    for pair_id, placed in mappings.rows.items():
        if placed.row.status in ("candidate", "needs_review"):
            waiting[placed.row.key] = _Subject(pair_id, placed.row.key, placed.row.status, placed.row.review.note)
    return list(waiting.values())


def _subject_of(message: PairMessage) -> _Subject | None:
    match message:
        case CandidateFound():
            key = (message.kalshi_ticker, message.polymarket_id)
            return _Subject(message.pair_id, key, "candidate", f"score {message.score}")
        case PairActivated(pair=pair):
            state = "alert_only" if pair.alert_only else "live"
            return _Subject(pair.pair_id, (pair.kalshi_ticker, pair.polymarket_id), state, pair.alert_only)
        case PairSuspended(pair=pair, reason=reason, awaits=awaits):
            state = "over" if awaits == "results" else "suspended"
            return _Subject(pair.pair_id, (pair.kalshi_ticker, pair.polymarket_id), state, reason)
        case _:
            return None


def _named(wanted: str, said: dict[str, PairMessage], mappings: Mappings) -> _Subject:
    message = said.get(wanted)
    subject = _subject_of(message) if message is not None else None
    if subject is not None:
        return subject
    placed = mappings.rows.get(PairId(wanted))
    if placed is not None:
        return _Subject(wanted, placed.row.key, placed.row.status, placed.row.review.note)
    ticker, joined, condition_id = wanted.rpartition(_JOINED)
    if joined and condition_id.startswith("0x"):
        return _Subject(wanted, (MarketId(ticker), MarketId(condition_id)), "new", "")
    raise ReviewRefused(f"there is no pair {wanted!r}: see `dutchbook pairs list`, or name TICKER~CONDITION_ID")


def _not_listed(subject: _Subject, kalshi: Market | None) -> str:
    venue, market_id = ("kalshi", subject.key[0]) if kalshi is None else ("polymarket", subject.key[1])
    return f"{venue} does not list {market_id} now: there is no text to read"


async def _payloads(redis: Client, venue: Venue, subjects: Sequence[_Subject]) -> list[bytes | None]:
    """Return what the bus holds about each subject's market."""
    market_ids = [subject.key[tuple(Venue).index(venue)] for subject in subjects]
    return list(await redis.hmget(CATALOG[venue].hash_name, market_ids)) if market_ids else []


def _market(venue: Venue, market_id: MarketId, payload: bytes | None) -> Market | None:
    """Return a listing, None when there is none. Raises ReviewRefused when what the bus holds cannot be read."""
    try:
        message = CATALOG[venue].decoder.decode(payload) if payload is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReviewRefused(f"what the bus holds about {venue.value} {market_id} cannot be read: {error}") from None
    return message.market if isinstance(message, MarketListed | MarketChanged) else None
