"""The rows of ``mappings/``: what a person says about two markets, every fact spelled out so that it can be checked.

``orientation`` and the two tokens say the same thing twice on purpose: a row that contradicts itself is refused, which
catches the most expensive error there is. All values are text in the file; a ``ValueError`` here becomes a refusal with
file and line.
"""

import re
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Literal

import msgspec

from services.matcher.limits import notional_limit_dollars
from services.matcher.placeholders import is_placeholder
from services.matcher.policy import TWO_READERS, two_reader_kind
from shared.domain.market import MarketId
from shared.domain.pair import Orientation, PairId

RowStatus = Literal["candidate", "needs_review", "approved", "suspended", "expired", "rejected"]
Relation = Literal["equivalent", "near", "subset", "superset", "overlap", "complement", "different"]

_PAIR_ID = re.compile(r"[a-z0-9][a-z0-9._~-]{0,127}")
_TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_CATEGORY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_CONDITION_ID = re.compile(r"0x[0-9a-f]{64}")
_TOKEN_ID = re.compile(r"[1-9][0-9]{0,77}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _require(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _require_hash(name: str, digest: str | None) -> None:
    _require(digest is None or _SHA256.fullmatch(digest), f"{name} is not 64 lower case hex digits")


def _require_zone(name: str, moment: datetime | None) -> None:
    _require(moment is None or moment.tzinfo is not None, f"{name} has no time zone, end it with Z")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class KalshiSide(_Table, frozen=True, kw_only=True):
    """The Kalshi market of a row, as it read at review."""

    ticker: str
    event_ticker: str
    series_ticker: str
    yes_label: str
    """``yes_sub_title`` at review; compared with the catalog before the pair goes live."""
    expected_expiration_time: datetime | None = None
    rules_sha256: str | None = None

    def __post_init__(self) -> None:
        for name, text in (("ticker", self.ticker), ("event_ticker", self.event_ticker)):
            _require(_TICKER.fullmatch(text), f"{name} {text!r} is no Kalshi ticker, copy it from the venue")
        _require(self.ticker.startswith(f"{self.event_ticker}-"), f"ticker {self.ticker} is not in {self.event_ticker}")
        _require(
            self.event_ticker == self.series_ticker or self.event_ticker.startswith(f"{self.series_ticker}-"),
            f"event {self.event_ticker} is not in series {self.series_ticker}",
        )
        _require(not self.ticker.startswith("KXMVE"), f"{self.ticker} is a parlay, which is never paired")
        _require_hash("rules_sha256", self.rules_sha256)


class PolymarketSide(_Table, frozen=True, kw_only=True):
    """The Polymarket market of a row, with both outcomes and both tokens written out."""

    condition_id: str
    event_slug: str
    market_slug: str
    outcomes: tuple[str, str]
    token_ids: tuple[str, str]
    """In the order of ``outcomes``."""
    yes_token_id: str
    """The token that pays when Kalshi's YES pays."""
    no_token_id: str
    neg_risk: bool | None = None
    description_sha256: str | None = None

    def __post_init__(self) -> None:
        _require(
            _CONDITION_ID.fullmatch(self.condition_id),
            f"condition_id {self.condition_id!r} is not 0x and 64 hex digits",
        )
        for token in self.token_ids:
            _require(_TOKEN_ID.fullmatch(token), f"token id {token!r} is no plain decimal number")
        for slug in (self.event_slug, self.market_slug):
            _require(_SLUG.fullmatch(slug), f"slug {slug!r} is not lower case letters, digits and dashes")
        _require(self.token_ids[0] != self.token_ids[1], "token_ids are equal, copy both from the venue")
        _require(self.outcomes[0] != self.outcomes[1], "outcomes are equal, copy both from the venue")
        _require(
            {self.yes_token_id, self.no_token_id} == set(self.token_ids),
            "yes_token_id and no_token_id are not the two token_ids, copy them from there",
        )
        _require_hash("description_sha256", self.description_sha256)


class Window(_Table, frozen=True, kw_only=True):
    """The time the question is about; days or instants, as the rules say it."""

    start: str | None = None
    end: str | None = None
    timezone: str | None = None


class Resolution(_Table, frozen=True, kw_only=True):
    """How both venues settle, as read at review."""

    kalshi_source: str = ""
    polymarket_source: str = ""
    window: Window | None = None
    rounding: str = ""
    tail_risks: tuple[str, ...] = ()
    """What happens on a void, tie or postponement where the venues differ."""
    notes: str = ""


class Origin(_Table, frozen=True, kw_only=True):
    """Who or what proposed the row."""

    method: str
    score: str | None = None
    matcher_version: str | None = None


class Review(_Table, frozen=True, kw_only=True):
    """Who read both rule texts, and when. A changed orientation needs a newer ``verified_at``."""

    verified_by: str | None = None
    verified_at: datetime | None = None
    second_reviewer: str | None = None
    second_at: datetime | None = None
    evidence: str = ""
    """What was read: links or files."""
    note: str = ""
    """What the reviewer wants the next one to know."""
    noted_by: str | None = None
    """Who wrote the note, or turned the row round, without deciding."""
    noted_at: datetime | None = None

    def __post_init__(self) -> None:
        _require_zone("verified_at", self.verified_at)
        _require_zone("second_at", self.second_at)
        _require_zone("noted_at", self.noted_at)


class CuratedRow(_Table, frozen=True, kw_only=True):
    """One row of ``mappings/pairs/*.yaml``."""

    pair_id: str
    category: str
    status: RowStatus
    relation: Relation
    orientation: Orientation
    kalshi: KalshiSide
    polymarket: PolymarketSide
    resolution: Resolution = Resolution()
    origin: Origin
    review: Review = Review()
    not_after: datetime | None = None
    max_notional_usd: str | None = None

    def __post_init__(self) -> None:
        _require(
            _PAIR_ID.fullmatch(self.pair_id), f"pair_id {self.pair_id!r} is not lower case letters, digits, . _ ~ -"
        )
        _require(
            _CATEGORY.fullmatch(self.category),
            f"category {self.category!r} is not lower case letters, digits, _ and -: a file is named after it",
        )
        _require_zone("not_after", self.not_after)
        at = self.polymarket.token_ids.index(self.polymarket.yes_token_id)
        _require(
            at == (0 if self.orientation is Orientation.SAME else 1),
            f"orientation is {self.orientation.value} but yes_token_id is the token of outcome {at} "
            f"({self.polymarket.outcomes[at]!r}): read both rules again and correct one of them",
        )
        _ = self.max_notional_dollars
        if self.status == "approved":
            self._check_approved()

    def _check_approved(self) -> None:
        _require(self.relation == "equivalent", f"relation is {self.relation}, only equivalent pairs are approved")
        _require(self.review.verified_by, "approved without review.verified_by, name the reviewer")
        _require(self.review.verified_at, "approved without review.verified_at, write when it was reviewed")
        _require(self.not_after, "approved without not_after, write when the pair must end")
        for name, digest in (
            ("kalshi.rules_sha256", self.kalshi.rules_sha256),
            ("polymarket.description_sha256", self.polymarket.description_sha256),
        ):
            _require(digest, f"approved without {name}, approve it with `dutchbook pairs review`, which writes it")
        for outcome in (self.kalshi.yes_label, *self.polymarket.outcomes):
            _require(not is_placeholder(outcome), f"outcome {outcome!r} is a placeholder, which is never paired")
        if kind := self.needs_two_readers:
            second = self.review.second_reviewer
            _require(
                second and not same_person(second, self.review.verified_by or ""),
                f"{kind} needs a second_reviewer, have another person read both rules",
            )

    @property
    def needs_two_readers(self) -> str:
        """Why one reader is not enough: the row's category, or what its tickers and slugs are about; else empty."""
        if self.category in TWO_READERS:
            return f"category {self.category}"
        kind = two_reader_kind(
            series=self.kalshi.series_ticker,
            labels=(self.kalshi.yes_label,),
            polymarket_labels=self.polymarket.outcomes,
            texts=(self.polymarket.event_slug, self.polymarket.market_slug),
        )
        return f"a question about {kind}" if kind else ""

    @property
    def key(self) -> tuple[MarketId, MarketId]:
        """The two markets: Kalshi ticker and condition id."""
        return MarketId(self.kalshi.ticker), MarketId(self.polymarket.condition_id)

    @property
    def id(self) -> PairId:
        """``pair_id`` as an identity."""
        return PairId(self.pair_id)

    @property
    def max_notional_dollars(self) -> Decimal | None:
        """The most that may be at risk in this pair; None when the row sets no limit."""
        return notional_limit_dollars(self.max_notional_usd)


class PairsFile(_Table, frozen=True, kw_only=True):
    """A file of ``mappings/pairs/``."""

    schema_version: Literal["1"]
    pairs: tuple[CuratedRow, ...] | None = None
    """Absent or empty: no rows yet."""


def same_person(one: str, other: str) -> bool:
    """Return whether two signatures are one person's: case and white space do not make another reader."""
    return "".join(one.casefold().split()) == "".join(other.casefold().split())


def text_sha256(text: str) -> str:
    """Return the digest of a rule text with every run of white space as one space, as rows carry it."""
    return sha256(" ".join(text.split()).encode()).hexdigest()
