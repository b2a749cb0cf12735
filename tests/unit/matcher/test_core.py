"""Pairs go live only when the mapping and both listings agree, the right way round, and stop as soon as they do not."""

import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.candidates import CandidateIndex
from services.matcher.core import Matcher
from services.matcher.mapping_files import Mappings, PlacedRow, load
from services.matcher.mapping_rows import CuratedRow, text_sha256
from services.matcher.mapping_text import curated_yaml
from services.matcher.published import Change
from shared.contracts.pairs import CandidateFound, CandidateReviewed, PairActivated, PairRetired, PairSuspended
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.pair import Orientation, PairId
from tests.unit.matcher.listings import (
    CONDITION,
    NOW,
    OTHER_CONDITION,
    TOKENS,
    kalshi,
    kalshi_game_side,
    moneyline,
    polymarket,
)
from tests.unit.matcher.test_mappings import SHIPPED, row

TICKER = MarketId("KXFEDDECISION-26DEC-C25")
HOUSTON = PairId("nba-game-2026-11-22-hou-por-hou")
PORTLAND = PairId("nba-game-2026-11-22-hou-por-por")


def fed(**changes: Any) -> Market:
    return kalshi(TICKER, "Will the Fed cut rates by 25bps in December 2026?", "Cut 25bps", **changes)


def fed_there(**changes: Any) -> Market:
    facts = {"event_slug": "fed-decision-in-december", "slug": "fed-cut-25-december"} | changes
    return polymarket("Will the Fed cut rates by 25 bps in December 2026?", **facts)


def with_rows(*rows: CuratedRow) -> Mappings:
    return Mappings({r.id: PlacedRow(r, "mappings/pairs/x.yaml", 3) for r in rows})


def settled(matcher: Matcher, now: datetime = NOW) -> list[Change]:
    changes = matcher.decide(now)
    while matcher.proposals_waiting:
        changes += matcher.propose(50)
    return changes


def started(mappings: Mappings, *markets: Market) -> tuple[Matcher, list[Change]]:
    matcher = Matcher(mappings, {})
    for market in markets:
        matcher.put(market)
    return matcher, settled(matcher)


def only(changes: list[Change], kind: type) -> Any:
    [change] = changes
    assert isinstance(change.message, kind), change
    return change.message


GAMES = load(SHIPPED).switched_on(["KXNBAGAME"])


def test_a_curated_row_goes_live_when_both_venues_list_it_as_it_says() -> None:
    matcher, changes = started(with_rows(row(max_notional_dollars=Decimal(250))), fed())
    assert changes == [], "one venue alone makes no pair"
    matcher.put(fed_there())
    pair = only(settled(matcher), PairActivated).pair
    assert (pair.kalshi_ticker, pair.polymarket_id) == (TICKER, CONDITION)
    assert pair.orientation is Orientation.SAME
    assert pair.polymarket_token_ids == TOKENS
    assert pair.origin == "curated"
    assert pair.source == "pairs/x.yaml (alice, 2026-11-21T18:00:00+00:00)"
    assert pair.kalshi_rules_hash == fed().rules_hash
    assert pair.max_notional_dollars == Decimal(250)
    assert pair.alert_only == ""


def test_one_market_at_a_time_or_all_at_once_makes_the_same_pairs() -> None:
    markets = (fed(), fed_there(), kalshi_game_side("HOU", "Houston"), moneyline(market_id=MarketId(OTHER_CONDITION)))
    mappings = both(with_rows(row()), GAMES)
    at_once, _ = started(mappings, *markets)
    step_by_step, _ = started(mappings)
    for market in reversed(markets):
        step_by_step.put(market)
        settled(step_by_step)
    assert at_once.published == step_by_step.published
    assert len(at_once.published) == 2


_MARKETS = (
    fed(),
    fed_there(),
    kalshi_game_side("HOU", "Houston"),
    kalshi_game_side("POR", "Portland"),
    moneyline(market_id=MarketId(OTHER_CONDITION)),
)
_EVENTS = st.lists(st.tuples(st.sampled_from(_MARKETS), st.sampled_from([*MarketStatus, None])), max_size=25)


@given(_EVENTS, st.lists(st.booleans(), min_size=25, max_size=25))
def test_whatever_came_before_only_the_present_listings_decide(
    events: list[tuple[Market, MarketStatus | None]], decided: list[bool]
) -> None:
    """``None`` takes the market off the list; decisions fall anywhere in between."""
    mappings = both(with_rows(row()), GAMES)
    matcher = Matcher(mappings, {})
    listed: dict[MarketId, Market] = {}
    for (market, status), decides in zip(events, decided, strict=False):
        if status is None:
            listed.pop(market.market_id, None)
            matcher.remove(market.venue, market.market_id)
        else:
            listed[market.market_id] = msgspec.structs.replace(market, status=status)
            matcher.put(listed[market.market_id])
        if decides:
            settled(matcher)
    settled(matcher)
    fresh, _ = started(mappings, *listed.values())

    def pairs(of: Matcher) -> dict[PairId, object]:
        """Pairs whose markets are listed; those that are over only wait for results, which a new matcher never saw."""
        return {
            key: value
            for key, value in of.published.items()
            if isinstance(value, PairActivated) or (isinstance(value, PairSuspended) and value.awaits != "results")
        }

    assert pairs(matcher) == pairs(fresh)
    for pair_id, message in pairs(matcher).items():
        if isinstance(message, PairActivated):
            ticker, condition_id = message.pair.kalshi_ticker, message.pair.polymarket_id
            assert listed[ticker].status is listed[condition_id].status is MarketStatus.OPEN, pair_id


def both(rows: Mappings, templates: Mappings) -> Mappings:
    return Mappings(rows.rows, templates.templates, templates.leagues, templates.fees)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"outcome_label": "Cut 50bps"}, {}, "kalshi YES label is 'Cut 50bps', the row says 'Cut 25bps'"),
        ({"event_id": "KXFEDDECISION-27DEC"}, {}, "kalshi event"),
        ({"series_id": "KXFED"}, {}, "kalshi series"),
        ({}, {"outcomes": ("No", "Yes")}, "polymarket outcomes is No / Yes, the row says Yes / No"),
        ({}, {"token_ids": TOKENS[::-1]}, "polymarket tokens"),
        ({}, {"token_ids": ()}, "polymarket tokens"),
        ({}, {"slug": "another"}, "polymarket market slug"),
        ({}, {"never_match": "the event's Other"}, "polymarket market must not be paired: the event's Other"),
        ({"never_match": "combo"}, {}, "kalshi market must not be paired: combo"),
        ({"status": MarketStatus.PAUSED}, {}, "kalshi market is paused"),
        ({}, {"status": MarketStatus.UNOPENED}, "polymarket market is unopened"),
    ],
)
def test_any_contradiction_suspends_with_the_reason(ours: dict[str, Any], theirs: dict[str, Any], said: str) -> None:
    _, changes = started(with_rows(row()), fed(**ours), fed_there(**theirs))
    assert said in only(changes, PairSuspended).reason


@pytest.mark.parametrize("status", ["candidate", "needs_review", "rejected", "expired"])
def test_a_row_that_is_not_approved_makes_no_pair_and_is_not_proposed_either(status: Any) -> None:
    curated = msgspec.structs.replace(row(), status=status)
    _, changes = started(with_rows(curated), fed(), fed_there())
    assert changes == []


def test_without_the_row_the_same_markets_are_a_candidate_once() -> None:
    matcher, changes = started(Mappings(), fed(), fed_there())
    found = only(changes, CandidateFound)
    assert (found.kalshi_ticker, found.polymarket_id, found.relation) == (TICKER, CONDITION, "equivalent")
    assert found.score > Decimal("0.6")
    matcher.put(fed(close_time=NOW + timedelta(days=30)))
    assert settled(matcher) == []


def test_no_more_candidates_are_proposed_than_may_wait_for_review() -> None:
    def film(number: int) -> tuple[Market, Market]:
        title = f"Will the film Glass{number} win Best Picture in 2027?"
        there = polymarket(title, market_id=MarketId(f"0x{number:064x}"))
        return kalshi(f"KXOSCARPIC-27-{number}", title), there

    matcher = Matcher(Mappings(), {}, most_candidates=2)
    for number in range(4):
        for market in film(number):
            matcher.put(market)
    assert len(settled(matcher)) == 2
    matcher.remove(Venue.KALSHI, next(iter(matcher.published.values())).kalshi_ticker)  # type: ignore[union-attr]
    only(settled(matcher), PairRetired)
    matcher.put(msgspec.structs.replace(film(3)[0], rules_text="listed again"))
    only(settled(matcher), CandidateFound)


def test_rows_that_come_and_go_do_not_have_the_whole_of_both_venues_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "mappings")
    folder = tmp_path / "mappings"
    (folder / "pairs" / "x.yaml").write_text(curated_yaml([msgspec.structs.replace(row(), status="rejected")]))
    matcher, changes = started(load(folder), fed(), fed_there())
    assert changes == []
    read: list[Market] = []
    put = CandidateIndex.put
    monkeypatch.setattr(CandidateIndex, "put", lambda self, market: (read.append(market), put(self, market))[1])
    (folder / "pairs" / "x.yaml").write_text(curated_yaml([]))
    matcher.use(load(folder))
    only(settled(matcher), CandidateFound)
    assert read == []
    matcher.use(load(folder).switched_on(["KXNBAGAME"]))
    assert settled(matcher) == []
    assert len(read) == 2, "another template may read them otherwise"


def test_a_candidate_is_withdrawn_when_a_row_decides_or_a_market_is_over() -> None:
    matcher, _ = started(Mappings(), fed(), fed_there())
    matcher.use(with_rows(msgspec.structs.replace(row(), status="rejected")))
    said = only(settled(matcher), CandidateReviewed)
    assert (said.approved, said.reviewer) == (False, "alice")
    matcher, _ = started(Mappings(), fed(), fed_there())
    matcher.remove(Venue.POLYMARKET, MarketId(CONDITION))
    only(settled(matcher), PairRetired)


def test_a_pair_is_suspended_as_soon_as_a_text_changes_and_live_again_when_it_reads_as_before() -> None:
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    matcher.put(fed_there(rules_text="Resolves to Yes when something else is so."))
    [change] = settled(matcher)
    assert isinstance(change.message, PairSuspended)
    assert change.was_live
    assert "rules, labels or tokens on polymarket have changed since review" in change.message.reason
    assert change.message.pair.polymarket_rules_hash == fed_there().rules_hash, "the hash that was reviewed is kept"
    matcher.put(fed_there())
    only(settled(matcher), PairActivated)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"rules_text": "Yes when it nearly is so."}, {}, "rules, labels or tokens on kalshi have changed"),
        ({"outcome_label": "Cut 50bps"}, {}, "rules, labels or tokens on kalshi have changed"),
        ({}, {"rules_text": "Resolves to Yes, or not."}, "rules, labels or tokens on polymarket have changed"),
        ({}, {"outcome_label": "Another"}, "rules, labels or tokens on polymarket have changed"),
        ({}, {"outcomes": ("No", "Yes")}, "rules, labels or tokens on polymarket have changed"),
        ({}, {"token_ids": TOKENS[::-1]}, "rules, labels or tokens on polymarket have changed"),
        ({}, {"token_ids": ("5", "6")}, "rules, labels or tokens on polymarket have changed"),
        ({"rules_text": "a"}, {"rules_text": "b"}, "rules, labels or tokens on kalshi and polymarket have changed"),
    ],
)
def test_a_live_pair_is_suspended_at_once_when_text_label_outcomes_or_tokens_change(
    ours: dict[str, Any], theirs: dict[str, Any], said: str
) -> None:
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    matcher.put(fed(**ours))
    matcher.put(fed_there(**theirs))
    [change] = matcher.decide(NOW)
    assert change.was_live
    assert said in only([change], PairSuspended).reason
    matcher.put(fed())
    matcher.put(fed_there())
    only(matcher.decide(NOW), PairActivated)


def test_a_games_tokens_that_swap_places_are_not_followed() -> None:
    matcher, _ = started(GAMES, kalshi_game_side("HOU", "Houston"), moneyline())
    matcher.put(moneyline(token_ids=TOKENS[::-1]))
    assert "tokens on polymarket have changed" in only(matcher.decide(NOW), PairSuspended).reason


def test_a_changed_text_stays_suspended_over_a_restart_until_somebody_reviews_it() -> None:
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    changed = fed(rules_text="Yes when something else is so.")
    restarted = Matcher(with_rows(row()), dict(matcher.published))
    for market in (changed, fed_there()):
        restarted.put(market)
    only(settled(restarted), PairSuspended)
    again = {"verified_at": datetime(2026, 11, 22, 10, tzinfo=UTC)}
    restarted.use(with_rows(row(**again)))
    assert "kalshi rules_sha256" in only(settled(restarted), PairSuspended).reason, "a date alone is no review"
    restarted.use(with_rows(row(**again, kalshi_rules_text=changed.rules_text)))
    pair = only(settled(restarted), PairActivated).pair
    assert pair.kalshi_rules_hash == changed.rules_hash


def test_an_orientation_that_flips_over_a_restart_without_a_new_review_is_suspended() -> None:
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    restarted = Matcher(with_rows(row(orientation=Orientation.INVERTED)), dict(matcher.published))
    for market in (fed(), fed_there()):
        restarted.put(market)
    assert "the orientation has changed since review" in only(settled(restarted), PairSuspended).reason
    restarted.put(fed(status=MarketStatus.PAUSED))
    restarted.put(fed())
    assert settled(restarted) == [], "it stays suspended when a listing is looked at again"
    once_more = Matcher(with_rows(row(orientation=Orientation.INVERTED)), dict(restarted.published))
    for market in (fed(), fed_there()):
        once_more.put(market)
    assert settled(once_more) == [], "and over another restart"
    once_more.use(with_rows(row()))
    assert only(settled(once_more), PairActivated).pair.orientation is Orientation.SAME


def test_hashes_in_the_row_are_held_against_the_listing() -> None:
    def hashed(text: str) -> CuratedRow:
        return msgspec.structs.replace(
            row(), kalshi=msgspec.structs.replace(row().kalshi, rules_sha256=text_sha256(text))
        )

    spaced = fed().rules_text.replace(" ", "  \n")
    _, changes = started(with_rows(hashed(spaced)), fed(), fed_there())
    only(changes, PairActivated)
    _, changes = started(with_rows(hashed("another text")), fed(), fed_there())
    assert "kalshi rules_sha256" in only(changes, PairSuspended).reason


def test_a_restart_with_nothing_new_says_nothing() -> None:
    mappings = both(with_rows(row()), GAMES)
    extra = kalshi("KXOSCAR-27-GLA", "Will Glass Harbor win Best Picture in 2027?", "Glass Harbor")
    twin = polymarket("Will Glass Harbor win Best Picture in 2027?", market_id=MarketId("0x" + "ef" * 32))
    game = (kalshi_game_side("HOU", "Houston"), moneyline(market_id=MarketId(OTHER_CONDITION)))
    markets = (fed(), fed_there(), extra, twin, *game)
    matcher, first = started(mappings, *markets)
    assert {type(change.message) for change in first} == {PairActivated, CandidateFound}
    again = Matcher(mappings, dict(matcher.published))
    for market in markets:
        again.put(market)
    assert settled(again) == []


def waiting(changes: list[Change]) -> str:
    """The reason of the one pair that was suspended until both results are known."""
    suspended = only(changes, PairSuspended)
    assert suspended.awaits == "results"
    assert changes[0].was_live
    return str(suspended.reason)


def test_a_pair_ends_with_its_markets_its_time_or_its_row() -> None:
    matcher, _ = started(with_rows(row()), fed(), fed_there())
    assert settled(matcher, NOW + timedelta(days=1)) == []
    assert "past its not_after" in waiting(settled(matcher, NOW + timedelta(days=30)))
    assert settled(matcher, NOW + timedelta(days=31)) == []

    for status in (MarketStatus.CLOSED, MarketStatus.SETTLED):
        matcher, _ = started(with_rows(row()), fed(), fed_there())
        matcher.put(fed(status=status))
        assert f"kalshi market {TICKER} is {status.value}" in waiting(settled(matcher))

    matcher, _ = started(with_rows(row()), fed(), fed_there())
    matcher.remove(Venue.KALSHI, TICKER)
    assert "not listed" in waiting(settled(matcher))

    matcher, _ = started(with_rows(row()), fed(), fed_there())
    matcher.use(Mappings())
    retired, proposed = settled(matcher)
    assert isinstance(retired.message, PairRetired)
    assert isinstance(proposed.message, CandidateFound)


def test_a_pair_whose_fees_are_unknown_is_alert_only() -> None:
    _, changes = started(with_rows(row()), fed(), fed_there(fees=None))
    assert only(changes, PairActivated).pair.alert_only == "fee terms are unknown on polymarket"


def test_a_game_goes_live_through_its_template_the_right_way_round() -> None:
    away, home = kalshi_game_side("HOU", "Houston"), kalshi_game_side("POR", "Portland")
    matcher, changes = started(GAMES, away, home, moneyline())
    pairs = {change.pair_id: change.message.pair for change in changes if isinstance(change.message, PairActivated)}
    assert pairs.keys() == {HOUSTON, PORTLAND}
    assert pairs[HOUSTON].orientation is Orientation.SAME, "Houston is the Rockets, outcome 0"
    assert pairs[PORTLAND].orientation is Orientation.INVERTED, "Portland is the Trail Blazers, outcome 1"
    assert pairs[PORTLAND].polymarket_outcomes == ("Rockets", "Trail Blazers")
    assert pairs[PORTLAND].origin == "template"
    assert "fair price" in pairs[PORTLAND].void_risk
    matcher.put(moneyline(outcomes=("Trail Blazers", "Rockets")))
    assert {type(change.message) for change in settled(matcher)} == {PairSuspended}, "swapped outcomes are not followed"


def test_a_template_that_is_off_makes_candidates_only() -> None:
    _, changes = started(load(SHIPPED), kalshi_game_side("POR", "Portland"), moneyline())
    found = only(changes, CandidateFound)
    assert found.orientation is Orientation.INVERTED
    assert found.score == 1


@pytest.mark.parametrize(
    "there",
    [
        {"slug": "nba-hou-por-2026-11-23", "game_start_time": datetime(2026, 11, 24, 3, tzinfo=UTC)},
        {"slug": "nba-hou-sac-2026-11-22", "outcomes": ("Rockets", "Kings")},
        {"slug": "nfl-hou-por-2026-11-22"},
        {"market_type": "spreads"},
        {"slug": "nba-hou-por-2026-11-22-spread-home-2pt5"},
        {"event_slug": "nba-hou-por-2026-11-21"},
        {"outcomes": ("Rockets", "Kings")},
        {"outcomes": ("Yes", "No")},
        {"game_start_time": datetime(2026, 11, 24, 3, tzinfo=UTC)},
        {"never_match": "a placeholder"},
        {"status": MarketStatus.CLOSED},
        {"slug": "nba-hou-por-2026-02-30"},
    ],
)
def test_a_look_alike_of_a_game_is_not_paired_by_the_template(there: dict[str, Any]) -> None:
    slug = there.pop("slug", "nba-hou-por-2026-11-22")
    facts = {"event_slug": slug} | there
    matcher, _ = started(GAMES, kalshi_game_side("HOU", "Houston"), moneyline(slug, **facts))
    assert not any(isinstance(message, PairActivated | PairSuspended) for message in matcher.published.values())


@pytest.mark.parametrize(
    ("ticker_code", "label", "event"),
    [
        ("HOU", "Sacramento", "KXNBAGAME-26NOV22HOUPOR"),
        ("SAC", "Sacramento", "KXNBAGAME-26NOV22HOUPOR"),
        ("HOU", "Houston", "KXNBAGAME-26NOV21HOUPOR"),
        ("HOU", "Houston", "KXNBASPREAD-26NOV22HOUPOR"),
        ("HOU", "Houston", "KXNBAGAME-26NOV32HOUPOR"),
        ("HOU", "Houston", "KXNBAGAME-26NOV22HOUXYZ"),
    ],
)
def test_a_kalshi_listing_that_contradicts_itself_is_not_paired(ticker_code: str, label: str, event: str) -> None:
    matcher, _ = started(GAMES, kalshi_game_side(ticker_code, label, event), moneyline())
    assert not any(isinstance(message, PairActivated | PairSuspended) for message in matcher.published.values())


def test_two_games_of_the_same_teams_on_one_day_make_no_pair_and_are_named() -> None:
    mappings = load(SHIPPED).switched_on(["KXMLBGAME"])
    first = kalshi_game_side("BOS", "Boston", "KXMLBGAME-26AUG071305DETBOS")
    second = kalshi_game_side("BOS", "Boston", "KXMLBGAME-26AUG071905DETBOS")
    there = moneyline(
        "mlb-det-bos-2026-08-07",
        outcomes=("Detroit Tigers", "Boston Red Sox"),
        game_start_time=datetime(2026, 8, 7, 17, 5, tzinfo=UTC),
    )
    now = datetime(2026, 8, 7, tzinfo=UTC)
    matcher = Matcher(mappings, {})
    for market in (first, there):
        matcher.put(market)
    only(matcher.decide(now), PairActivated)
    matcher.put(second)
    assert "2 kalshi events" in only(matcher.decide(now), PairRetired).reason
    assert any("2 kalshi events" in problem for problem in matcher.problems())


def test_a_second_polymarket_listing_of_a_game_ends_its_pairs() -> None:
    matcher, _ = started(GAMES, kalshi_game_side("HOU", "Houston"), moneyline())
    matcher.put(moneyline(market_id=MarketId(OTHER_CONDITION)))
    retired = [change for change in matcher.decide(NOW) if isinstance(change.message, PairRetired)]
    assert [change.pair_id for change in retired] == [HOUSTON]


def test_a_rejected_row_overrules_a_template() -> None:
    curated = row(
        ticker="KXNBAGAME-26NOV22HOUPOR-HOU",
        event_ticker="KXNBAGAME-26NOV22HOUPOR",
        series_ticker="KXNBAGAME",
        outcomes=("Rockets", "Trail Blazers"),
    )
    mappings = both(with_rows(msgspec.structs.replace(curated, status="rejected")), GAMES)
    _, changes = started(mappings, kalshi_game_side("HOU", "Houston"), moneyline())
    assert changes == []


@pytest.mark.parametrize(
    ("label", "teams"),
    [
        ("Rockets", {"hou"}),
        ("Houston Rockets", {"hou"}),
        ("HOU", {"hou"}),
        ("Los Angeles", {"lac", "lal"}),
        ("Los Angeles L", {"lal"}),
        ("trailblazers", {"por"}),
        ("Rocket", set()),
        ("", set()),
    ],
)
def test_a_label_means_a_team_exactly_or_not_at_all(label: str, teams: set[str]) -> None:
    assert load(SHIPPED).leagues["nba"].by_label(label) == teams


@pytest.mark.parametrize(
    ("joined", "teams"),
    [("HOUPOR", ("hou", "por")), ("LALLAC", ("lal", "lac")), ("HOUHOUX", None), ("HOU", None), ("", None)],
)
def test_joined_codes_split_in_one_way_or_not_at_all(joined: str, teams: tuple[str, str] | None) -> None:
    assert load(SHIPPED).leagues["nba"].split_kalshi_codes(joined) == teams


def test_no_two_teams_of_any_league_have_joined_codes_that_read_two_ways() -> None:
    for file in sorted(Path(SHIPPED, "aliases").glob("*.yaml")):
        league = load(SHIPPED).leagues[file.stem]
        codes = league.kalshi_codes()
        for first in codes:
            for second in codes:
                away, home = league.by_kalshi_code(first), league.by_kalshi_code(second)
                if away != home:
                    assert league.split_kalshi_codes(first + second) == (away, home), (file.stem, first, second)
