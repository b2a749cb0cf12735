"""What happens to pairs outside their texts: prices that speak against them, results that differ."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core import Matcher
from services.matcher.disagreements import Disagreement, disagreement_yaml, path_of
from services.matcher.mapping_files import Mappings, lint, load, notices
from services.matcher.price_sanity import PriceLimits, PriceWatch, Tops
from services.matcher.published import Change
from services.matcher.settlement import Paid
from shared.contracts.pairs import PairActivated, PairRetired, PairSuspended
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Orientation, Pair, PairId
from tests.unit.matcher.listings import CONDITION, NOW, OTHER_CONDITION, kalshi_game_side, moneyline
from tests.unit.matcher.test_core import (
    GAMES,
    HOUSTON,
    PORTLAND,
    TICKER,
    both,
    fed,
    fed_there,
    only,
    settled,
    started,
    with_rows,
)
from tests.unit.matcher.test_mappings import row

FED_PAIR = PairId("fed-2026-12-cut-25")
SUSPECTED = "prices say that the pair is inverted"


def live() -> Matcher:
    matcher, changes = started(with_rows(row()), fed(), fed_there())
    only(changes, PairActivated)
    return matcher


def pair(orientation: Orientation = Orientation.SAME) -> Pair:
    [message] = live().published.values()
    assert isinstance(message, PairActivated)
    return Pair(
        pair_id=message.pair.pair_id,
        kalshi_ticker=message.pair.kalshi_ticker,
        polymarket_id=message.pair.polymarket_id,
        polymarket_token_ids=message.pair.polymarket_token_ids,
        orientation=orientation,
        origin="curated",
        source="a test",
        kalshi_rules_hash="",
        polymarket_rules_hash="",
    )


def of_the_game(changes: list[Change]) -> list[PairId]:
    return [change.pair_id for change in changes if change.pair_id in (HOUSTON, PORTLAND)]


def at(price: str) -> Tops:
    return Tops(Decimal(price) - Decimal("0.01"), Decimal(price) + Decimal("0.01"))


# --- suspicion ------------------------------------------------------------------------------------------------------


def test_a_suspected_pair_is_suspended_and_stays_so_over_a_restart_until_a_newer_review() -> None:
    matcher = live()
    matcher.suspect(FED_PAIR, SUSPECTED)
    [change] = settled(matcher)
    assert change.was_live
    suspended = only([change], PairSuspended)
    assert (suspended.reason, suspended.awaits) == (SUSPECTED, "review")
    assert settled(matcher) == [], "said once"

    restarted = Matcher(with_rows(row()), dict(matcher.published))
    for market in (fed(), fed_there()):
        restarted.put(market)
    assert settled(restarted) == []
    restarted.use(with_rows(row(verified_at=datetime(2026, 11, 22, 10, tzinfo=UTC))))
    only(settled(restarted), PairActivated)


def test_a_suspicion_outlives_a_restart_while_a_market_is_not_listed() -> None:
    matcher = live()
    matcher.suspect(FED_PAIR, SUSPECTED)
    settled(matcher)
    matcher.remove(Venue.POLYMARKET, MarketId(CONDITION))
    assert only(settled(matcher), PairSuspended).awaits == "results"

    restarted = Matcher(with_rows(row()), dict(matcher.published))
    restarted.put(fed())
    settled(restarted)
    again = Matcher(with_rows(row()), dict(restarted.published))
    for market in (fed(), fed_there()):
        again.put(market)
    suspended = only(settled(again), PairSuspended)
    assert (suspended.reason, suspended.awaits) == (SUSPECTED, "review")


def test_a_suspected_game_of_a_template_is_suspended_alone() -> None:
    matcher, _ = started(GAMES, kalshi_game_side("HOU", "Houston"), kalshi_game_side("POR", "Portland"), moneyline())
    matcher.suspect(PORTLAND, SUSPECTED)
    [change] = settled(matcher)
    assert change.pair_id == PORTLAND
    assert [pair.pair_id for pair in matcher.live_pairs] == [HOUSTON]


def test_a_suspicion_outlives_an_ambiguous_game_and_restarts_within_and_after_it() -> None:
    sides = kalshi_game_side("HOU", "Houston"), kalshi_game_side("POR", "Portland")
    twin = moneyline(market_id=MarketId(OTHER_CONDITION), token_ids=("1" * 77, "2" * 77))
    matcher, _ = started(GAMES, *sides, moneyline())
    matcher.suspect(PORTLAND, SUSPECTED)
    settled(matcher)

    matcher.put(twin)
    assert of_the_game(settled(matcher)) == [HOUSTON], "the suspected side stays as it was said"
    [message] = [word for pair_id, word in matcher.published.items() if pair_id == PORTLAND]
    assert isinstance(message, PairSuspended)
    assert (message.reason, message.awaits) == (SUSPECTED, "review")

    during = Matcher(GAMES, dict(matcher.published))
    for market in (*sides, moneyline(), twin):
        during.put(market)
    assert of_the_game(settled(during)) == []
    during.remove(Venue.POLYMARKET, twin.market_id)
    assert of_the_game(settled(during)) == [HOUSTON]
    assert [pair.pair_id for pair in during.live_pairs] == [HOUSTON]

    after = Matcher(GAMES, dict(matcher.published))
    for market in (*sides, moneyline()):
        after.put(market)
    settled(after)
    assert [pair.pair_id for pair in after.live_pairs] == [HOUSTON]


def test_a_suspected_pair_of_an_ambiguous_game_that_is_over_waits_for_its_results() -> None:
    sides = kalshi_game_side("HOU", "Houston"), kalshi_game_side("POR", "Portland")
    twin = moneyline(market_id=MarketId(OTHER_CONDITION), token_ids=("1" * 77, "2" * 77))
    matcher, _ = started(GAMES, *sides, moneyline())
    matcher.suspect(PORTLAND, SUSPECTED)
    settled(matcher)
    matcher.put(twin)
    settled(matcher)
    for market in (moneyline(), twin):
        matcher.remove(Venue.POLYMARKET, market.market_id)
    changes = settled(matcher)
    assert of_the_game(changes) == [PORTLAND]
    assert only([change for change in changes if change.pair_id == PORTLAND], PairSuspended).awaits == "results"


def test_only_a_live_pair_can_be_suspected() -> None:
    matcher, _ = started(with_rows(row()), fed())
    matcher.suspect(FED_PAIR, SUSPECTED)
    matcher.put(fed_there())
    only(settled(matcher), PairActivated)


@pytest.mark.parametrize(
    ("orientation", "kalshi", "polymarket", "after_s", "said"),
    [
        (Orientation.SAME, "0.70", "0.30", 10, "the pair is inverted"),
        (Orientation.SAME, "0.70", "0.34", 10, "the pair is inverted"),
        (Orientation.SAME, "0.70", "0.36", 10, ""),
        (Orientation.SAME, "0.70", "0.36", 60, "this is no pair"),
        (Orientation.SAME, "0.70", "0.30", 9, ""),
        (Orientation.SAME, "0.20", "0.36", 60, "this is no pair"),
        (Orientation.SAME, "0.20", "0.35", 60, ""),
        (Orientation.SAME, "0.50", "0.50", 60, ""),
        (Orientation.SAME, "0.57", "0.43", 60, ""),
        (Orientation.INVERTED, "0.70", "0.30", 60, ""),
        (Orientation.INVERTED, "0.70", "0.70", 10, "the pair is inverted"),
        (Orientation.INVERTED, "0.20", "0.50", 60, "this is no pair"),
    ],
)
def test_prices_far_apart_speak_against_a_pair_after_a_while(
    orientation: Orientation, kalshi: str, polymarket: str, after_s: int, said: str
) -> None:
    watch = PriceWatch(PriceLimits())
    assert watch.look(pair(orientation), at(kalshi), at(polymarket), 100.0) == ""
    reason = watch.look(pair(orientation), at(kalshi), at(polymarket), 100.0 + after_s)
    assert (said in reason) if said else not reason


@pytest.mark.parametrize(
    "between", [(None, at("0.3")), (at("0.7"), None), (Tops(None, Decimal("0.7")), at("0.3")), (at("0.3"), at("0.3"))]
)
def test_a_doubt_starts_over_when_a_book_cannot_be_believed_or_prices_agree_again(
    between: tuple[Tops | None, Tops | None],
) -> None:
    watch = PriceWatch(PriceLimits())
    far = (at("0.7"), at("0.3"))
    assert watch.look(pair(), *far, 0.0) == ""
    assert watch.look(pair(), *between, 9.0) == ""
    assert watch.look(pair(), *far, 12.0) == ""
    assert watch.look(pair(), *far, 22.0)


def test_the_middle_of_a_wide_book_says_nothing() -> None:
    watch = PriceWatch(PriceLimits())
    wide = Tops(Decimal("0.10"), Decimal("0.90"))
    for now_s in (0.0, 100.0):
        assert watch.look(pair(), wide, at("0.10"), now_s) == ""


_PRICES = st.integers(2, 98).map(lambda cents: Decimal(cents) / 100)


@given(_PRICES, _PRICES)
def test_turning_a_pair_round_turns_an_inversion_into_agreement(kalshi: Decimal, polymarket: Decimal) -> None:
    limits = PriceLimits(inverted_s=0, wrong_match_s=0)
    tops = Tops(kalshi, kalshi), Tops(polymarket, polymarket)
    if "inverted" in PriceWatch(limits).look(pair(), *tops, 0.0):
        assert "inverted" not in PriceWatch(limits).look(pair(Orientation.INVERTED), *tops, 0.0)
        assert abs(kalshi - (1 - polymarket)) <= limits.near_one_dollars


# --- results --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orientation", "kalshi", "polymarket", "agree"),
    [
        (Orientation.SAME, "1", "1", True),
        (Orientation.SAME, "0", "0", True),
        (Orientation.SAME, "1", "0", False),
        (Orientation.INVERTED, "1", "0", True),
        (Orientation.INVERTED, "1", "1", False),
        (Orientation.SAME, "0.5", "0.5", True),
        (Orientation.INVERTED, "0.5", "0.5", True),
        (Orientation.SAME, "0.62", "0.5", False),
        (Orientation.SAME, "0.62", "1", False),
    ],
)
def test_results_agree_when_both_sides_paid_as_one_question(
    orientation: Orientation, kalshi: str, polymarket: str, agree: bool
) -> None:
    assert Paid(Decimal(kalshi), Decimal(polymarket)).agree(orientation) is agree


def ended(matcher: Matcher, kalshi_paid: str, polymarket_paid: str) -> list[Change]:
    """Both markets close, then both pay."""
    matcher.remove(Venue.KALSHI, TICKER)
    matcher.remove(Venue.POLYMARKET, MarketId(CONDITION))
    assert only(settled(matcher), PairSuspended).awaits == "results"
    matcher.settled(Venue.KALSHI, TICKER, Decimal(kalshi_paid))
    assert settled(matcher) == [], "one result alone says nothing"
    matcher.settled(Venue.POLYMARKET, MarketId(CONDITION), Decimal(polymarket_paid))
    return settled(matcher)


def test_a_row_that_is_marked_expired_still_waits_for_its_results() -> None:
    matcher = live()
    matcher.remove(Venue.KALSHI, TICKER)
    settled(matcher)
    matcher.use(with_rows(msgspec.structs.replace(row(), status="expired")))
    assert settled(matcher) == []
    matcher.settled(Venue.KALSHI, TICKER, Decimal(1))
    matcher.settled(Venue.POLYMARKET, MarketId(CONDITION), Decimal(0))
    settled(matcher)
    assert [record.pair_id for record in matcher.disagreements] == [FED_PAIR]


def test_a_pair_that_settled_alike_is_retired() -> None:
    [change] = ended(live(), "1", "1")
    assert change.retires
    assert only([change], PairRetired).reason == "both venues settled alike: kalshi YES paid 1"


def other_fed(**changes: Any) -> Any:
    return fed(market_id=MarketId("KXFEDDECISION-26DEC-H0"), outcome_label="Hold", **changes)


def two_pairs() -> Matcher:
    """Two pairs of one series."""
    there = {"market_id": MarketId(OTHER_CONDITION), "token_ids": ("5", "6"), "slug": "fed-hold"}
    other = row(
        pair_id="fed-2026-12-hold",
        ticker="KXFEDDECISION-26DEC-H0",
        yes_label="Hold",
        condition_id=OTHER_CONDITION,
        market_slug="fed-hold",
        token_ids=("5", "6"),
    )
    matcher, _ = started(with_rows(row(), other), fed(), fed_there(), other_fed(), fed_there(**there))
    assert len(matcher.live_pairs) == 2
    return matcher


def test_a_disagreement_suspends_the_series_at_once_and_is_kept_with_both_texts() -> None:
    matcher = two_pairs()
    changes = ended(matcher, "1", "0")
    suspended = only(changes, PairSuspended)
    assert suspended.pair.pair_id == "fed-2026-12-hold"
    assert suspended.reason.startswith("series KXFEDDECISION is suspended: fed-2026-12-cut-25 paid 1 on kalshi and 0")
    [record] = matcher.disagreements
    assert record.kalshi.rules_text == fed().rules_text
    assert record.polymarket.rules_text == fed_there().rules_text
    assert (record.kalshi.yes_paid_dollars, record.polymarket.yes_paid_dollars) == ("1", "0")
    matcher.recorded(record)
    retired = only(settled(matcher), PairRetired)
    assert retired.pair_id == FED_PAIR
    assert matcher.disagreements == []
    assert matcher.live_pairs == [], "writing the record down lifts nothing"


def write(folder: Path, record: Disagreement, **edits: str) -> Path:
    path = path_of(folder, record)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = disagreement_yaml(record)
    for old, new in edits.items():
        assert f"{old}: " in text
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{old}: "))
        text = text.replace(line, f"  {old}: {new}")
    path.write_text(text)
    return path


def disagreed() -> Disagreement:
    matcher = live()
    ended(matcher, "1", "0")
    [record] = matcher.disagreements
    return record


def test_a_kept_disagreement_is_read_back_and_suspends_until_somebody_has_understood_it(tmp_path: Path) -> None:
    record = disagreed()
    write(tmp_path, record)
    kept = load(tmp_path).disagreements
    assert kept == (record,)
    mappings = Mappings(with_rows(row()).rows, disagreements=kept)
    matcher, changes = started(mappings, fed(), fed_there())
    assert "series KXFEDDECISION is suspended" in only(changes, PairSuspended).reason
    assert [problem.what for problem in notices(mappings, NOW)] == [record.reason]

    write(tmp_path, record, status="understood", understood_by="alice", note='"a fair price on kalshi"')
    understood = load(tmp_path).disagreements
    matcher.use(Mappings(with_rows(row()).rows, disagreements=understood))
    only(settled(matcher), PairActivated)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"status": "understood"}, "understood without understood_by and note"),
        ({"status": "closed"}, "Invalid enum value 'closed'"),
        ({"series": '""'}, "series is empty"),
        ({"found_at": "2026-11-22T12:00:00"}, "found_at has no time zone"),
        ({"orientation": "sideways"}, "Invalid enum value"),
    ],
)
def test_a_spoiled_record_is_refused_by_file_and_line(tmp_path: Path, edits: dict[str, str], said: str) -> None:
    path = write(tmp_path, disagreed(), **edits)
    [problem] = lint(tmp_path)
    assert problem.file == str(path)
    assert said in problem.what


def test_every_kept_disagreement_is_a_test_case_its_pair_is_never_live_again(tmp_path: Path) -> None:
    """Replays a record: the row and the listings as they were, and the record itself among the mappings."""
    record = disagreed()
    listing = fed(outcome_label=record.kalshi.label, rules_text=record.kalshi.rules_text)
    there = fed_there(slug=record.polymarket.slug, rules_text=record.polymarket.rules_text)
    matcher, _ = started(Mappings(with_rows(row()).rows, disagreements=(record,)), listing, there)
    assert matcher.live_pairs == []


def test_a_disagreement_of_a_template_suspends_the_other_games_of_its_league() -> None:
    next_game = {"slug": "nba-bos-nyk-2026-11-22", "outcomes": ("Celtics", "Knicks")}
    matcher, _ = started(
        GAMES,
        kalshi_game_side("HOU", "Houston"),
        moneyline(),
        kalshi_game_side("BOS", "Boston", "KXNBAGAME-26NOV22BOSNYK"),
        moneyline(**next_game, event_slug=next_game["slug"], market_id=MarketId(OTHER_CONDITION)),
    )
    assert len(matcher.live_pairs) == 2
    matcher.remove(Venue.KALSHI, MarketId("KXNBAGAME-26NOV22HOUPOR-HOU"))
    matcher.remove(Venue.POLYMARKET, MarketId(CONDITION))
    settled(matcher)
    matcher.settled(Venue.KALSHI, MarketId("KXNBAGAME-26NOV22HOUPOR-HOU"), Decimal("0.62"))
    matcher.settled(Venue.POLYMARKET, MarketId(CONDITION), Decimal("0.5"))
    assert "paid 0.62 on kalshi and 0.5" in only(settled(matcher), PairSuspended).reason
    assert matcher.live_pairs == []


def test_waiting_for_results_survives_a_restart() -> None:
    matcher = live()
    matcher.remove(Venue.KALSHI, TICKER)
    settled(matcher)
    restarted = Matcher(with_rows(row()), dict(matcher.published))
    restarted.put(fed_there())
    assert [change for change in settled(restarted) if change.pair_id == FED_PAIR] == []
    restarted.settled(Venue.KALSHI, TICKER, Decimal(0))
    restarted.settled(Venue.POLYMARKET, MarketId(CONDITION), Decimal(0))
    assert "settled alike" in only(settled(restarted), PairRetired).reason


def test_a_market_that_is_listed_again_takes_its_result_back_and_its_pair_with_it() -> None:
    matcher = live()
    matcher.remove(Venue.KALSHI, TICKER)
    settled(matcher)
    matcher.settled(Venue.KALSHI, TICKER, Decimal(1))
    matcher.put(fed())
    only(settled(matcher), PairActivated)
    matcher.remove(Venue.KALSHI, TICKER)
    settled(matcher)
    matcher.settled(Venue.POLYMARKET, MarketId(CONDITION), Decimal(1))
    assert settled(matcher) == [], "the first result is forgotten"


def test_results_that_never_come_end_the_waiting_after_a_while() -> None:
    matcher = live()
    matcher.remove(Venue.KALSHI, TICKER)
    matcher.decide(NOW)
    last = datetime(2026, 12, 9, 19, tzinfo=UTC)
    assert matcher.decide(last + timedelta(days=29)) == []
    assert (
        "no results of both venues within 30 days"
        in only(matcher.decide(last + timedelta(days=31)), PairRetired).reason
    )


def test_a_template_switched_off_retires_without_waiting() -> None:
    matcher, _ = started(GAMES, kalshi_game_side("HOU", "Houston"), moneyline())
    matcher.use(both(Mappings(), Mappings()))
    assert isinstance(settled(matcher)[0].message, PairRetired)
