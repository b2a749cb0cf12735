"""Files of venue objects are matched line by line: games approved by their template, everything else a candidate."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.matcher.candidates import CandidateIndex
from services.matcher.mapping_files import load
from services.matcher.offline import MatchRow, RowRefused, match_files
from services.matcher.offline_rows import kalshi_market, polymarket_market
from shared.domain.market import MarketId, Venue
from tests.shared_folder import shared_folder
from tests.unit.matcher.listings import CONDITION, kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)

GAME_ROWS: list[dict[str, Any]] = [
    {
        "pool": "p",
        "kalshi_id": f"KXNBAGAME-26NOV22HOUPOR-{code}",
        "event_ticker": "KXNBAGAME-26NOV22HOUPOR",
        "title": "x",
    }
    for code in ("HOU", "POR")
]
GAME_THERE = {
    "pool": "p",
    "poly_id": "0x1",
    "question": "Rockets vs. Trail Blazers",
    "slug": "nba-hou-por-2026-11-22",
    "outcomes": ["Rockets", "Trail Blazers"],
}


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def matched(tmp_path: Path, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], **options: Any) -> list[MatchRow]:
    files = jsonl(tmp_path / "k.jsonl", *ours), jsonl(tmp_path / "p.jsonl", *theirs)
    return list(match_files(*files, MAPPINGS, **options))


def test_a_game_is_approved_for_both_teams_with_the_outcome_that_pays(tmp_path: Path) -> None:
    rows = matched(tmp_path, GAME_ROWS, [GAME_THERE])
    assert [(row.kalshi_ticker[-3:], row.status, row.orientation, row.outcome_index) for row in rows] == [
        ("HOU", "approved", "same", 0),
        ("POR", "approved", "inverted", 1),
    ]


def test_a_game_that_is_listed_twice_is_a_candidate_only(tmp_path: Path) -> None:
    rows = matched(tmp_path, GAME_ROWS, [GAME_THERE, GAME_THERE | {"poly_id": "0x2"}])
    assert {row.status for row in rows} == {"candidate"}


def test_a_market_that_is_in_the_file_twice_is_matched_once_as_it_reads_last(tmp_path: Path) -> None:
    assert matched(tmp_path, [*GAME_ROWS, *GAME_ROWS], [GAME_THERE]) == matched(tmp_path, GAME_ROWS, [GAME_THERE])
    edited = [*GAME_ROWS, GAME_ROWS[0] | {"yes_sub_title": "Portland"}]
    assert [row.kalshi_ticker[-3:] for row in matched(tmp_path, edited, [GAME_THERE])] == ["POR"]


def test_rows_of_different_pools_are_never_paired(tmp_path: Path) -> None:
    assert matched(tmp_path, GAME_ROWS, [GAME_THERE | {"pool": "q"}]) == []


def test_raw_venue_objects_are_read_too(tmp_path: Path) -> None:
    ours = {
        "ticker": "KXOSCARPIC-27-GLA",
        "event_ticker": "KXOSCARPIC-27",
        "title": "Best Picture in 2027?",
        "yes_sub_title": "Glass Harbor",
        "rules_primary": "If so, Yes.",
        "close_time": "2027-03-15T04:00:00Z",
    }
    theirs = {
        "conditionId": "0x1",
        "question": "Will Glass Harbor win Best Picture at the 2027 ceremony?",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": '["1", "2"]',
        "events": [{"slug": "e", "title": "E"}],
    }
    [row] = matched(tmp_path, [ours], [theirs])
    assert (row.kalshi_ticker, row.poly_id, row.status) == ("KXOSCARPIC-27-GLA", "0x1", "candidate")
    assert row.score < 1
    assert polymarket_market(theirs).token_ids == ("1", "2")
    assert polymarket_market(theirs).event_slug == "e"


@pytest.mark.parametrize("row", [{}, {"title": "x"}, []])
def test_a_line_that_is_no_venue_object_is_named(tmp_path: Path, row: object) -> None:
    good = jsonl(tmp_path / "k.jsonl", GAME_ROWS[0])
    bad = jsonl(tmp_path / "p.jsonl", GAME_THERE, row)
    with pytest.raises(RowRefused, match=r"p\.jsonl:2: .*correct or remove the line"):
        list(match_files(good, bad, MAPPINGS))


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_the_calendar_pairs_nothing_and_breaks_nothing(tmp_path: Path, moment: str) -> None:
    ours = [row | {"close_time": moment, "expected_expiration_time": moment} for row in GAME_ROWS]
    timed = {"game_start": moment, "end_date": moment}
    asked = {"pool": "p", "poly_id": "0x2", "question": "Will the Rockets win?", "event_title": "A vs. B"}
    assert matched(tmp_path, ours, [GAME_THERE | timed, asked | timed]) == []
    dated = {"pool": "p", "kalshi_id": "KXX-1", "title": "Will it rain by December 31?", "close_time": moment}
    undated = {"pool": "p", "poly_id": "0x3", "question": "Will it rain?"} | timed
    assert [row.score < 1 for row in matched(tmp_path, [dated], [undated])] in ([], [True])


def test_parlays_and_placeholders_are_never_paired(tmp_path: Path) -> None:
    parlay = GAME_ROWS[0] | {"kalshi_id": "KXMVENBA-1-A", "title": "Rockets win and more", "yes_sub_title": "Rockets"}
    there = {"pool": "p", "poly_id": "0x3", "question": "Rockets win and more", "group_item_title": "Rockets"}
    assert matched(tmp_path, [parlay], [there]) == []
    named = {"pool": "p", "kalshi_id": "KXMVP-27-X", "title": "MVP award in 2027?", "yes_sub_title": "Player G"}
    there = {"pool": "p", "poly_id": "0x3", "question": "Will Player G win the MVP award in 2027?"}
    assert matched(tmp_path, [named], [there]) == []


def test_the_index_forgets_what_is_removed_and_replaced() -> None:
    index = CandidateIndex(MAPPINGS)
    film = kalshi("KXFILM-27-A", "Will Glass Harbor win in 2027?", "Glass Harbor")
    index.put(film)
    index.put(polymarket("Will Glass Harbor win in 2027?"))
    assert [market_id for market_id, _ in index.best(film)] == [CONDITION]
    index.put(polymarket("Will Saltmarsh win in 2027?"))
    assert index.best(film) == []
    index.put(polymarket("Will Glass Harbor win in 2027?"))
    index.remove(Venue.POLYMARKET, MarketId(CONDITION))
    assert index.best(film) == []


def test_a_row_with_only_the_outcome_in_its_id_keeps_its_event() -> None:
    market = kalshi_market({"kalshi_id": "KXFED-26JUL#Cut", "event_ticker": "KXFED-26JUL", "title": "t"})
    assert (market.market_id, market.event_id, market.series_id) == ("KXFED-26JUL#Cut", "KXFED-26JUL", "KXFED")


def test_on_recorded_pools_no_approved_pair_is_wrong_and_the_score_ranks(tmp_path: Path) -> None:
    folder = shared_folder("matching")
    pools = {"nba26", "games25", "econ26", "futures26"}

    def of_pools(file: str) -> list[dict[str, Any]]:
        rows = map(json.loads, (folder / file).read_text().splitlines())
        return [row for row in rows if row["pool"] in pools]

    gold = {(row["pool"], row["kalshi_id"], row["poly_id"]): row for row in of_pools("dev/gold.jsonl")}
    ours = [row for row in of_pools("dev/kalshi.jsonl") if row["in_scope"]]
    rows = matched(tmp_path, ours, of_pools("polymarket.jsonl"))
    approved = [row for row in rows if row.status == "approved"]
    assert len(approved) >= 50
    assert all(
        gold.get((row.pool, row.kalshi_ticker, row.poly_id), {}).get("orientation") == row.orientation
        for row in approved
    )
    right = [(row.pool, row.kalshi_ticker, row.poly_id) in gold for row in rows if row.score >= Decimal("0.8")]
    assert sum(right) >= 0.9 * len(right)
