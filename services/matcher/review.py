"""Reviewing two markets: what a person looks at, and what a decision makes of the row about them. Pure.

Approving means: whoever signs has read both rule texts as they are listed now. The row therefore carries the digests
of exactly these texts, and one reader is not enough where the venues are known to settle differently.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import zip_longest
from typing import Literal, NamedTuple

import msgspec

from services.matcher.mapping_files import Mappings
from services.matcher.mapping_rows import (
    CuratedRow,
    KalshiSide,
    Origin,
    PolymarketSide,
    Relation,
    Resolution,
    Review,
    RowStatus,
    same_person,
    text_sha256,
)
from services.matcher.placeholders import is_placeholder
from services.matcher.policy import TWO_READERS, two_reader_kind
from services.matcher.review_files import ReviewRefused, version_of
from services.matcher.slots import Slots, parse_slots
from services.matcher.text_diff import compare_texts, differences
from services.matcher.verdict import Verdict, match
from shared.domain.market import Market
from shared.domain.pair import Orientation

_SHOWN = (
    *("entity", "years", "days", "months", "periods", "deadlines", "thresholds", "market_types", "stages"),
    *("parts", "parties", "states", "offices", "districts", "settlement", "placeholder", "contradiction", "game"),
)
"""Slots in the order in which they are shown."""

Action = Literal["approve", "reject", "suspend", "note"]


class Case(NamedTuple):
    """Two markets before a reviewer, and what was said about them until now."""

    pair_id: str
    state: str
    """As ``pairs list`` shows it; ``new`` when nobody has said anything."""
    reason: str
    kalshi: Market
    polymarket: Market
    row: CuratedRow | None
    verdict: Verdict

    @property
    def version(self) -> str:
        """What changes whenever the row or either listing does: what a reviewer has looked at."""
        texts = sha256(f"{self.kalshi.rules_hash} {self.polymarket.rules_hash}".encode()).hexdigest()[:12]
        return f"{version_of(self.row)}-{texts}"

    @property
    def orientation(self) -> Orientation:
        """Which way round the pair is now: as its row says, else as the slots say."""
        return self.row.orientation if self.row is not None else self.verdict.orientation

    @property
    def two_readers(self) -> str:
        """Why one reader is not enough; empty when one is."""
        if self.row is not None and self.row.needs_two_readers:
            return self.row.needs_two_readers
        kind = kind_of(self.kalshi, self.polymarket)
        return f"a question about {kind}" if kind else ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer says. What is None or empty stays as it is, or as the listings say."""

    action: Action
    by: str
    now: datetime
    invert: bool = False
    """Turn the pair round; without an approval it then needs a review."""
    note: str = ""
    evidence: str = ""
    category: str = ""
    relation: Relation | None = None
    """For a rejection: what the pair is instead."""
    not_after: datetime | None = None
    max_notional_usd: str | None = None
    tail_risks: tuple[str, ...] | None = None


class SideSheet(msgspec.Struct, frozen=True, kw_only=True):
    """One market as a reviewer sees it."""

    market_id: str
    title: str
    label: str
    outcomes: tuple[str, ...]
    rules_text: str
    source: str
    ends: datetime | None
    slots: dict[str, str]
    """What was read out of the question, as far as it says anything."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one case, as ``pairs review --json`` prints it."""

    pair_id: str
    state: str
    reason: str
    version: str
    """Changes with the row and with both listings: pass it back as ``--seen`` to decide about exactly this."""
    orientation: Orientation
    relation: str
    score: Decimal
    vetoes: tuple[str, ...]
    reasons: tuple[str, ...]
    two_readers: str
    verified_by: str
    note: str
    resolves_in_s: int | None
    kalshi: SideSheet
    polymarket: SideSheet
    differences: tuple[tuple[str, str], ...]
    """Runs of words that differ between the rule texts, Kalshi's first."""


def case_of(
    pair_id: str, markets: tuple[Market, Market], row: CuratedRow | None, mappings: Mappings, *, state: str, reason: str
) -> Case:
    """Return a case; the verdict is made anew from the listings as they are."""
    kalshi, polymarket = markets
    return Case(pair_id, state, reason, kalshi, polymarket, row, match(kalshi, polymarket, mappings))


def sheet_of(case: Case, mappings: Mappings, now: datetime) -> Sheet:
    """Return what a reviewer looks at."""
    review = case.row.review if case.row is not None else Review()
    ends = [end for end in (_ends(case.kalshi), _ends(case.polymarket)) if end is not None]
    return Sheet(
        pair_id=case.pair_id,
        state=case.state,
        reason=case.reason,
        version=case.version,
        orientation=case.orientation,
        relation=case.verdict.relation,
        score=case.verdict.score,
        vetoes=case.verdict.vetoes,
        reasons=case.verdict.reasons,
        two_readers=case.two_readers,
        verified_by=", ".join(filter(None, (review.verified_by, review.second_reviewer))),
        note=review.note,
        resolves_in_s=int((min(ends) - now).total_seconds()) if ends else None,
        kalshi=_side_sheet(case.kalshi, mappings),
        polymarket=_side_sheet(case.polymarket, mappings),
        differences=tuple(differences(compare_texts(case.kalshi.rules_text, case.polymarket.rules_text))),
    )


def kind_of(kalshi: Market, polymarket: Market) -> str:
    """Return the kind of question that needs two readers, empty for any other."""
    return two_reader_kind(
        series=kalshi.series_id or kalshi.market_id.partition("-")[0],
        labels=(kalshi.outcome_label,),
        polymarket_labels=polymarket.outcomes,
        texts=(kalshi.title, kalshi.event_title, polymarket.event_slug, polymarket.slug, polymarket.title),
    )


def decided(case: Case, before: CuratedRow | None, decision: Decision) -> CuratedRow:
    """Return the row after a decision. Raises ReviewRefused when it must not be made, with what to do."""
    if not decision.by.strip():
        raise ReviewRefused("who are you? name the reviewer with --by")
    try:
        row = _decided(case, before, decision)
        return msgspec.convert(msgspec.to_builtins(row), CuratedRow)  # which checks it as a file would be
    except msgspec.ValidationError as error:
        raise ReviewRefused(f"the row would be refused: {str(error).partition(' - at ')[0]}") from None
    except ValueError as error:
        raise ReviewRefused(f"the row would be refused: {error}") from None


def _decided(case: Case, before: CuratedRow | None, decision: Decision) -> CuratedRow:
    row = _listed_now(case, before, decision)
    match decision.action:
        case "approve":
            return _approved(case, before, row, decision)
        case "reject":
            return _signed(row, before, decision, "rejected", relation=decision.relation or _other_than_equivalent(row))
        case "suspend":
            return _signed(row, before, decision, "suspended", relation=row.relation)
        case "note":
            status: RowStatus = "needs_review" if decision.invert or before is None else before.status
            noted_at = decision.now.astimezone(UTC)
            last = before.review if before is not None and not decision.invert else Review()
            review = msgspec.structs.replace(
                last, note=decision.note or last.note, noted_by=decision.by.strip(), noted_at=noted_at
            )
            return msgspec.structs.replace(row if decision.invert else before or row, status=status, review=review)


def _approved(case: Case, before: CuratedRow | None, row: CuratedRow, decision: Decision) -> CuratedRow:
    for market in (case.kalshi, case.polymarket):
        if market.never_match:
            raise ReviewRefused(f"the {market.venue.value} market must never be paired: {market.never_match}")
        if not market.rules_text.strip():
            raise ReviewRefused(f"the {market.venue.value} market is listed without rules: nobody can have read them")
    if is_placeholder(case.kalshi.outcome_label):
        raise ReviewRefused(f"{case.kalshi.outcome_label!r} is a placeholder, which is never paired")
    if case.verdict.vetoes and not (decision.note or row.review.note):
        named = ", ".join(case.verdict.vetoes)
        raise ReviewRefused(f"the slots say {named}: approve against that only with --note, which says why it is wrong")
    if row.not_after is None:
        raise ReviewRefused("neither venue says when this ends: give --not-after")
    if not case.two_readers:
        return _signed(row, before, decision, "approved", relation="equivalent")
    first = before.review if before is not None and _awaits_second(before, row) else None
    if first is None:
        return _signed(row, before, decision, "needs_review", relation="equivalent")
    assert first.verified_by is not None
    if same_person(first.verified_by, decision.by):
        raise ReviewRefused(f"{first.verified_by} has approved it already; {case.two_readers} needs another reader")
    review = msgspec.structs.replace(
        first,
        second_reviewer=decision.by.strip(),
        second_at=_later(decision.now, first.verified_at),
        note=decision.note or first.note,
        evidence=decision.evidence or first.evidence,
    )
    return msgspec.structs.replace(row, status="approved", relation="equivalent", review=review)


def _awaits_second(before: CuratedRow, now: CuratedRow) -> bool:
    """Whether one reader has approved exactly this: the same texts, the same way round."""
    return (
        before.status == "needs_review"
        and before.relation == "equivalent"
        and before.review.verified_by is not None
        and before.review.second_reviewer is None
        and (before.orientation, before.kalshi, before.polymarket) == (now.orientation, now.kalshi, now.polymarket)
    )


def _signed(
    row: CuratedRow, before: CuratedRow | None, decision: Decision, status: RowStatus, *, relation: Relation
) -> CuratedRow:
    last = before.review.verified_at if before is not None else None
    kept = row.review
    review = Review(
        verified_by=decision.by.strip(),
        verified_at=_later(decision.now, last),
        note=decision.note or kept.note,
        evidence=decision.evidence or kept.evidence,
    )
    return msgspec.structs.replace(row, status=status, relation=relation, review=review)


def _listed_now(case: Case, before: CuratedRow | None, decision: Decision) -> CuratedRow:
    """Return the row with both sides as they are listed now and the reviewer's own additions, not yet decided."""
    kalshi, polymarket = case.kalshi, case.polymarket
    orientation = before.orientation if before is not None else case.verdict.orientation
    if decision.invert:
        orientation = Orientation.INVERTED if orientation is Orientation.SAME else Orientation.SAME
    if len(polymarket.token_ids) != 2 or len(polymarket.outcomes) != 2:
        raise ReviewRefused("the polymarket market has not two outcomes with a token each")
    tokens = (polymarket.token_ids[0], polymarket.token_ids[1])
    yes_token, no_token = tokens if orientation is Orientation.SAME else tokens[::-1]
    resolution = before.resolution if before is not None else _resolution(kalshi, polymarket)
    if decision.tail_risks is not None:
        resolution = msgspec.structs.replace(resolution, tail_risks=decision.tail_risks)
    return CuratedRow(
        pair_id=before.pair_id if before is not None else _new_id(case),
        category=_category(case, before, decision),
        status="needs_review",
        relation=before.relation if before is not None else case.verdict.relation,
        orientation=orientation,
        kalshi=KalshiSide(
            ticker=kalshi.market_id,
            event_ticker=kalshi.event_id,
            series_ticker=kalshi.series_id or kalshi.event_id.partition("-")[0],
            yes_label=kalshi.outcome_label,
            expected_expiration_time=kalshi.expected_expiration_time,
            rules_sha256=text_sha256(kalshi.rules_text),
        ),
        polymarket=PolymarketSide(
            condition_id=polymarket.market_id,
            event_slug=polymarket.event_slug,
            market_slug=polymarket.slug,
            outcomes=(polymarket.outcomes[0], polymarket.outcomes[1]),
            token_ids=tokens,
            yes_token_id=yes_token,
            no_token_id=no_token,
            neg_risk=before.polymarket.neg_risk if before is not None else None,
            description_sha256=text_sha256(polymarket.rules_text),
        ),
        resolution=resolution,
        origin=before.origin if before is not None else Origin(method="review", score=f"{case.verdict.score:f}"),
        review=before.review if before is not None else Review(),
        not_after=decision.not_after or (before.not_after if before is not None else None) or _not_after(kalshi),
        max_notional_usd=decision.max_notional_usd or (before.max_notional_usd if before is not None else None),
    )


def _category(case: Case, before: CuratedRow | None, decision: Decision) -> str:
    """Return the row's category; one that needs two readers cannot be talked away."""
    said = decision.category or (before.category if before is not None else "")
    kind = kind_of(case.kalshi, case.polymarket)
    if kind and said not in TWO_READERS:
        return kind
    return said or _slug(case.kalshi.category) or "other"


def _slug(text: str) -> str:
    return "_".join("".join(char if char.isascii() and char.isalnum() else " " for char in text.lower()).split())


def _new_id(case: Case) -> str:
    return f"{case.kalshi.market_id.lower()}~{case.polymarket.market_id[2:14]}"


def _resolution(kalshi: Market, polymarket: Market) -> Resolution:
    return Resolution(kalshi_source=kalshi.resolution_source, polymarket_source=polymarket.resolution_source)


def _other_than_equivalent(row: CuratedRow) -> Relation:
    return "different" if row.relation == "equivalent" else row.relation


def _not_after(kalshi: Market) -> datetime | None:
    return kalshi.expected_expiration_time or kalshi.close_time


def _ends(market: Market) -> datetime | None:
    return market.expected_expiration_time or market.close_time


def _later(now: datetime, last: datetime | None) -> datetime:
    """Return now, or just after the last review when our clock is behind it: a newer review must be newer."""
    now = now.astimezone(UTC)
    return now if last is None or now > last else last + timedelta(microseconds=1)


def _side_sheet(market: Market, mappings: Mappings) -> SideSheet:
    return SideSheet(
        market_id=market.market_id,
        title=market.title,
        label=market.outcome_label,
        outcomes=market.outcomes,
        rules_text=market.rules_text,
        source=market.resolution_source,
        ends=_ends(market),
        slots=_slot_texts(parse_slots(market, mappings)),
    )


def _slot_texts(slots: Slots) -> dict[str, str]:
    said = {name: getattr(slots, name) for name in _SHOWN if name in slots.__struct_fields__}
    return {name: _slot_text(value) for name, value in said.items() if value}


def _slot_text(value: object) -> str:
    """Return a slot in words: the parts of a threshold by name, days as ``2026-11-23``, several values with commas."""
    if isinstance(value, tuple):
        names = getattr(value, "_fields", ())
        parts = [(name, part) for name, part in zip_longest(names, value) if part is not None and part is not False]
        return " ".join(f"{name} {part}" for name, part in parts) if names else "-".join(str(part) for _, part in parts)
    if isinstance(value, frozenset | set | list):
        return ", ".join(sorted(map(_slot_text, value)))
    return str(value)


def instant(text: str) -> datetime:
    """Return ``2026-12-09T19:00:00Z`` as an instant. Raises ReviewRefused."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise ReviewRefused(f"{text!r} is not an instant such as 2026-12-09T19:00:00Z") from None
    if moment.tzinfo is None:
        raise ReviewRefused(f"{text!r} has no time zone, end it with Z")
    return moment


def oldest_first(sheets: Iterable[Sheet]) -> list[Sheet]:
    """Return the queue in the order of work: suspended pairs, reviews half done, then candidates by score."""
    order = {"suspended": 0, "needs_review": 1, "candidate": 2}
    return sorted(sheets, key=lambda sheet: (order.get(sheet.state, 3), -sheet.score, sheet.pair_id))
