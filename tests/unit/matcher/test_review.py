"""Reviews: what a decision makes of a row, what it refuses, and that two reviewers lose nothing."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core import Matcher
from services.matcher.mapping_files import Mappings, load
from services.matcher.mapping_rows import CuratedRow, text_sha256
from services.matcher.mapping_text import curated_yaml
from services.matcher.policy import two_reader_kind
from services.matcher.review import Case, Decision, case_of, decided, sheet_of
from services.matcher.review_files import NEW, ReviewRefused, version_of, write_decision
from services.matcher.text_diff import columns, compare_texts, differences
from shared.contracts.pairs import CandidateReviewed, PairActivated
from shared.domain.market import Market, MarketId
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import CONDITION, NOW, TOKENS, kalshi, polymarket
from tests.unit.matcher.test_core import fed, fed_there, settled, with_rows
from tests.unit.matcher.test_mappings import row

ENDS = datetime(2026, 12, 9, 19, tzinfo=UTC)
KEY = (MarketId("KXFEDDECISION-26DEC-C25"), MarketId(CONDITION))


def case(ours: Market | None = None, there: Market | None = None, before: CuratedRow | None = None) -> Case:
    markets = (ours or fed(expected_expiration_time=ENDS), there or fed_there())
    return case_of("candidate-1", markets, before, Mappings(), state="candidate", reason="")


def says(action: Any = "approve", by: str = "alice", **changes: Any) -> Decision:
    return Decision(action=action, by=by, now=changes.pop("now", NOW), **changes)


# --- decisions ------------------------------------------------------------------------------------------------------


def test_an_approval_carries_who_when_and_the_digests_of_what_was_read() -> None:
    approved = decided(case(), None, says(note="read both", evidence="the statement", max_notional_usd="250"))
    assert (approved.status, approved.relation, approved.orientation) == ("approved", "equivalent", "same")
    assert (approved.review.verified_by, approved.review.verified_at) == ("alice", NOW)
    assert approved.review.note == "read both"
    assert approved.kalshi.rules_sha256 == text_sha256(fed().rules_text)
    assert approved.polymarket.description_sha256 == text_sha256(fed_there().rules_text)
    assert (approved.polymarket.yes_token_id, approved.polymarket.no_token_id) == TOKENS
    assert approved.not_after == ENDS
    assert approved.pair_id == "kxfeddecision-26dec-c25~abababababab"


def test_an_inverted_approval_spells_the_tokens_out_the_other_way() -> None:
    approved = decided(case(), None, says(invert=True))
    assert approved.orientation is Orientation.INVERTED
    assert (approved.polymarket.yes_token_id, approved.polymarket.no_token_id) == TOKENS[::-1]


def test_inverting_alone_takes_a_live_row_out_until_somebody_approves_it() -> None:
    before = row()
    turned = decided(case(before=before), before, says("note", invert=True, note="look at the labels"))
    assert (turned.status, turned.orientation, turned.review.verified_by) == ("needs_review", "inverted", None)
    assert (turned.review.noted_by, turned.review.noted_at) == ("alice", NOW)
    again = decided(case(before=turned), turned, says(by="bob"))
    assert (again.status, again.orientation) == ("approved", "inverted")


def test_a_note_alone_changes_nothing_else() -> None:
    before = row()
    noted = decided(case(before=before), before, says("note", note="watch the statement", by="bob"))
    review = msgspec.structs.replace(before.review, note="watch the statement", noted_by="bob", noted_at=NOW)
    assert noted == msgspec.structs.replace(before, review=review)


def test_a_rejection_keeps_the_pair_for_ever_and_says_what_it_is_instead() -> None:
    rejected = decided(case(), None, says("reject", relation="near", note="another meeting"))
    assert (rejected.status, rejected.relation, rejected.review.verified_by) == ("rejected", "near", "alice")
    assert decided(case(), None, says("reject")).relation == "different"
    matcher = Matcher(with_rows(rejected), {})
    for market in (fed(), fed_there()):
        matcher.put(market)
    assert settled(matcher) == []


def test_an_approval_takes_the_place_of_its_candidate_and_is_told_as_reviewed() -> None:
    matcher = Matcher(Mappings(), {})
    for market in (fed(expected_expiration_time=ENDS), fed_there()):
        matcher.put(market)
    [found] = settled(matcher)
    matcher.use(with_rows(decided(case(), None, says(note="fine"))))
    said = {type(change.message): change for change in settled(matcher)}
    assert said.keys() == {PairActivated, CandidateReviewed}
    reviewed = said[CandidateReviewed]
    assert (reviewed.pair_id, reviewed.retires) == (found.pair_id, True)
    assert isinstance(reviewed.message, CandidateReviewed)
    assert (reviewed.message.approved, reviewed.message.reviewer, reviewed.message.note) == (True, "alice", "fine")


def test_a_renewed_approval_is_newer_than_the_last_one_even_when_the_clock_is_not() -> None:
    before = row(verified_at=NOW + timedelta(hours=1))
    renewed = decided(case(before=before), before, says())
    assert renewed.review.verified_at is not None
    assert renewed.review.verified_at > NOW + timedelta(hours=1)


WEATHER = kalshi(
    "KXHIGHNY-26NOV23-T50",
    "Will the high temp in NYC be above 50° on Nov 23, 2026?",
    "51° or above",
    expected_expiration_time=ENDS,
)
WEATHER_THERE = polymarket(
    "Will the highest temperature in New York City be 51°F or higher on November 23?",
    "highest-temperature-in-nyc-on-november-23-51-or-higher",
)


def test_weather_needs_two_readers_whatever_category_the_first_one_names() -> None:
    first = decided(case(WEATHER, WEATHER_THERE), None, says(category="economics", note="same station"))
    assert (first.status, first.category) == ("needs_review", "weather")
    with pytest.raises(ReviewRefused, match=r"alice has approved it already; .* needs another reader"):
        decided(case(WEATHER, WEATHER_THERE, first), first, says(by=" Alice "))
    second = decided(case(WEATHER, WEATHER_THERE, first), first, says(by="bob"))
    assert (second.status, second.review.verified_by, second.review.second_reviewer) == ("approved", "alice", "bob")
    assert second.review.second_at is not None
    by_hand = msgspec.to_builtins(second)
    by_hand["review"]["second_reviewer"] = "ALICE "
    with pytest.raises(msgspec.ValidationError, match="needs a second_reviewer"):
        msgspec.convert(by_hand, CuratedRow)


def test_the_second_reader_must_have_read_the_same_texts() -> None:
    first = decided(case(WEATHER, WEATHER_THERE), None, says(note="same station"))
    edited = msgspec.structs.replace(WEATHER_THERE, rules_text="Another station.")
    second = decided(case(WEATHER, edited, first), first, says(by="bob", note="same station"))
    assert (second.status, second.review.verified_by) == ("needs_review", "bob"), "bob is the first to read this"
    turned = decided(case(WEATHER, WEATHER_THERE, first), first, says(by="bob", invert=True, note="same station"))
    assert turned.status == "needs_review"


@pytest.mark.parametrize(
    ("ours", "there", "decision", "said"),
    [
        (None, None, says(by=" "), "name the reviewer with --by"),
        (fed(expected_expiration_time=ENDS, never_match="combo"), None, says(), "must never be paired: combo"),
        (None, fed_there(rules_text="  \n"), says(), "listed without rules"),
        (fed(), None, says(), "give --not-after"),
        (None, fed_there(token_ids=()), says(), "has not two outcomes with a token each"),
        (None, None, says(max_notional_usd="much"), "max_notional_usd"),
        (fed(expected_expiration_time=ENDS, outcome_label="Player G"), None, says(note="x"), "is a placeholder"),
        (None, fed_there(event_slug="Not A Slug"), says(), "is not lower case letters"),
        (
            None,
            polymarket("Will the Fed cut rates by 50 bps in January 2027?", "fed-cut-50-january"),
            says(),
            "approve against that only with --note",
        ),
    ],
)
def test_what_must_not_be_approved_is_refused_with_the_reason(
    ours: Market | None, there: Market | None, decision: Decision, said: str
) -> None:
    with pytest.raises(ReviewRefused, match=said):
        decided(case(ours, there), None, decision)


@pytest.mark.parametrize(
    ("series", "labels", "outcomes", "texts", "kind"),
    [
        ("KXHIGHNY", ("51° or above",), ("Yes", "No"), ("a",), "weather"),
        ("KXOTHER", (), ("Yes", "No"), ("highest-temperature-in-nyc",), "weather"),
        ("KXBTCD", (), ("Yes", "No"), ("a",), "crypto_price"),
        ("KXANY", (), ("Yes", "No"), ("will-bitcoin-reach-100k",), "crypto_price"),
        ("KXANY", (), ("Yes", "No"), ("will-a-bitcoin-reserve-be-signed",), ""),
        ("KXLEADERSOUT", ("Someone",), ("Yes", "No"), ("a",), "leaves_office"),
        ("KXANY", ("Before 2027",), ("Yes", "No"), ("someone-out-as-prime-minister-by-june",), "leaves_office"),
        ("KXSENATE", ("Democratic",), ("Yes", "No"), ("x", "will-jane-doe-win-the-senate-race"), "party_vs_person"),
        ("KXSENATE", ("Jane Doe",), ("Yes", "No"), ("x", "will-the-democrats-win-the-senate-race"), "party_vs_person"),
        ("KXSENATE", ("Democratic party",), ("Yes", "No"), ("x", "will-a-democrat-win-the-senate-race"), ""),
        ("KXSENATE", ("Republican",), ("Republican", "Democrat"), ("x",), ""),
        ("KXSENATE", ("Jane Doe",), ("Yes", "No"), ("x", "jane-doe-2028-democratic-presidential-nominee"), ""),
        ("KXNBAGAME", ("Houston",), ("Rockets", "Trail Blazers"), ("nba-hou-por-2026-11-22",), ""),
        ("KXFEDDECISION", ("Cut 25bps",), ("Yes", "No"), ("fed-cut-25-december",), ""),
    ],
)
def test_the_kinds_that_need_two_readers_are_told_by_tickers_labels_and_slugs(
    series: str, labels: tuple[str, ...], outcomes: tuple[str, ...], texts: tuple[str, ...], kind: str
) -> None:
    assert two_reader_kind(series=series, labels=labels, polymarket_labels=outcomes, texts=texts) == kind


# --- files ----------------------------------------------------------------------------------------------------------

HAND_WRITTEN = """# Read by hand, one by one.
schema_version: 1
pairs:
{first}
  # The second one was harder.
{second}
# The end.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pairs").mkdir()
    return tmp_path


def other_row(**changes: Any) -> CuratedRow:
    facts = {"pair_id": "b", "ticker": "KXFEDDECISION-26DEC-H0", "condition_id": "0x" + "12" * 32}
    return row(**(facts | {"token_ids": ("5", "6")} | changes))


def hand_written(folder: Path) -> Path:
    first, second = (curated_yaml([one]).partition("pairs:\n")[2].rstrip("\n") for one in (row(), other_row()))
    path = folder / "pairs" / "economics.yaml"
    path.write_text(HAND_WRITTEN.format(first=first, second=second))
    assert len(load(folder).rows) == 2
    return path


def test_a_row_is_replaced_where_it_stands_and_everything_else_stays_as_it_was(folder: Path) -> None:
    path = hand_written(folder)
    before = path.read_text()
    placed = write_decision(
        folder, KEY, seen=version_of(row()), decide=lambda old: msgspec.structs.replace(old, status="rejected")
    )
    after = path.read_text()
    assert (placed.row.status, placed.line) == ("rejected", 4)
    assert after == before.replace('status: "approved"', 'status: "rejected"', 1)
    assert "# The second one was harder." in after
    assert after.endswith("# The end.\n")


def test_a_new_row_goes_to_the_file_of_its_category(folder: Path) -> None:
    hand_written(folder)
    new = other_row(pair_id="c", category="film", ticker="KXFEDDECISION-26DEC-X", condition_id="0x" + "34" * 32)
    new = msgspec.structs.replace(
        new, polymarket=msgspec.structs.replace(new.polymarket, token_ids=("7", "8"), yes_token_id="7", no_token_id="8")
    )
    placed = write_decision(folder, new.key, seen=NEW, decide=lambda _: new)
    assert Path(placed.file).name == "film.yaml"
    appended = msgspec.structs.replace(new, pair_id="d", category="economics")
    with pytest.raises(ReviewRefused, match="while you were reading"):
        write_decision(folder, new.key, seen=NEW, decide=lambda _: appended)
    assert len(load(folder).rows) == 3


def test_an_appended_row_leaves_the_others_and_the_comments(folder: Path) -> None:
    path = hand_written(folder)
    before = path.read_text()
    new = decided(case(FILM, FILM_THERE), None, says(category="economics"))
    write_decision(folder, new.key, seen=NEW, decide=lambda _: new)
    assert path.read_text().startswith(before.rstrip("\n"))
    assert len(load(folder).rows) == 3


FILM = kalshi(
    "KXOSCARPIC-27-GLA",
    "Will Glass Harbor win Best Picture in 2027?",
    "Glass Harbor",
    expected_expiration_time=ENDS,
)
FILM_THERE = polymarket(
    "Will Glass Harbor win Best Picture in 2027?", market_id=MarketId("0x" + "ef" * 32), token_ids=("15", "16")
)


def test_the_shipped_file_without_rows_keeps_its_comments(folder: Path) -> None:
    path = folder / "pairs" / "entertainment.yaml"
    path.write_text("# Read docs/mapping-guide.md first.\nschema_version: 1\npairs: []\n")
    new = decided(case(FILM, FILM_THERE), None, says(category="entertainment"))
    write_decision(folder, new.key, seen=NEW, decide=lambda _: new)
    assert path.read_text().startswith("# Read docs/mapping-guide.md first.\n")
    assert [placed.row for placed in load(folder).rows.values()] == [new]


def test_a_file_in_another_style_is_left_alone_and_named(folder: Path) -> None:
    path = folder / "pairs" / "economics.yaml"
    inline = msgspec.json.encode([msgspec.to_builtins(row()), msgspec.to_builtins(other_row())]).decode()
    path.write_text(f"schema_version: 1\npairs: {inline}\n")
    before = path.read_text()
    with pytest.raises(ReviewRefused, match="edit it by hand"):
        write_decision(
            folder,
            KEY,
            seen=version_of(row()),
            decide=lambda old: msgspec.structs.replace(old, status="rejected"),
        )
    assert path.read_text() == before


def test_an_approval_that_contradicts_another_row_is_refused_and_writes_nothing(folder: Path) -> None:
    path = hand_written(folder)
    before = path.read_text()
    clash = decided(case(there=fed_there(market_id=MarketId("0x" + "77" * 32), token_ids=("1", "2"))), None, says())
    with pytest.raises(ReviewRefused, match="approved ticker KXFEDDECISION-26DEC-C25 again"):
        write_decision(folder, clash.key, seen=NEW, decide=lambda _: clash)
    assert path.read_text() == before
    assert [one.name for one in (folder / "pairs").iterdir()] == ["economics.yaml"], "nothing is left behind"


def test_of_two_reviewers_at_once_the_second_is_told_and_nothing_is_lost(folder: Path) -> None:
    hand_written(folder)
    seen = version_of(row())
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(old: CuratedRow | None) -> CuratedRow:
        assert old is not None
        begun.set()
        assert may_go_on.wait(10)
        return decided(case(before=old), old, says("reject", by="alice", note="first"))

    first = threading.Thread(target=lambda: write_decision(folder, KEY, seen=seen, decide=slowly))
    first.start()
    assert begun.wait(10)
    threading.Timer(0.05, may_go_on.set).start()
    with pytest.raises(ReviewRefused, match=r"alice has marked fed-2026-12-cut-25 as rejected at 2026-11-22 12:00:00"):
        write_decision(folder, KEY, seen=seen, decide=lambda old: decided(case(before=old), old, says(by="bob")))
    first.join()
    assert load(folder).rows["fed-2026-12-cut-25"].row.review.note == "first"  # type: ignore[index]


def test_many_reviewers_of_different_pairs_all_find_their_row_in_the_file(folder: Path) -> None:
    def review(number: int) -> None:
        ours = kalshi(f"KXOSCARPIC-27-G{number}", "Will Glass win?", "Glass", expected_expiration_time=ENDS)
        there = polymarket(
            "Will Glass win?", market_id=MarketId(f"0x{number:064x}"), token_ids=(f"{number}1", f"{number}2")
        )
        new = decided(case(ours, there), None, says(category="film", note="read", by=f"reader {number}"))
        write_decision(folder, new.key, seen=NEW, decide=lambda _: new)

    threads = [threading.Thread(target=review, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {placed.row.review.verified_by for placed in load(folder).rows.values()} == {
        f"reader {number}" for number in range(1, 9)
    }


# --- texts ----------------------------------------------------------------------------------------------------------

OURS = (
    "If the Fed cuts by 25 basis points at its December 2026 meeting, the market resolves to Yes. "
    "Revisions do not count."
)
THEIRS = (
    "If the Fed cuts by 25 or more basis points at its December 2026 meeting, this market resolves to Yes. "
    "Revisions do count."
)


def test_words_that_differ_are_marked_and_the_columns_stay_level() -> None:
    compared = compare_texts(OURS, THEIRS)
    assert ("", "or more") in differences(compared)
    assert ("not", "") not in [(a, b) for a, b in differences(compared) if "count" in a + b]
    lines = list(columns(compared, width=30))
    left = " ".join(" ".join(line for line, _ in lines).split())
    right = " ".join(" ".join(line for _, line in lines).split())
    assert "[[the]] market resolves" in left
    assert "25 [[or more]] basis points" in right
    assert left.replace("[[", "").replace("]]", "") == OURS
    assert right.replace("[[", "").replace("]]", "") == THEIRS
    assert all(len(one) <= 30 for line in lines for one in line)


def test_case_spacing_and_a_comma_are_no_difference() -> None:
    assert differences(compare_texts("Yes, if  the FED cuts.", "yes if the Fed cuts")) == []


@given(st.text(max_size=200), st.text(max_size=200), st.integers(5, 80))
def test_nothing_of_either_text_is_lost(left: str, right: str, width: int) -> None:
    compared = compare_texts(left, right)
    assert [word.text for stretch in compared for word in stretch.left] == left.split()
    assert [word.text for stretch in compared for word in stretch.right] == right.split()
    for line in columns(compared, width=width):
        assert all(len(one) <= width for one in line)


def test_the_sheet_says_everything_a_reviewer_needs() -> None:
    sheet = sheet_of(case(there=fed_there(rules_text=THEIRS)), Mappings(), NOW)
    assert sheet.version.startswith(f"{NEW}-")
    assert sheet.version != sheet_of(case(), Mappings(), NOW).version, "it changes with the texts"
    assert sheet.resolves_in_s == int((ENDS - NOW).total_seconds())
    assert sheet.kalshi.slots["market_types"] == "cut"
    assert sheet.differences
    assert sheet.two_readers == ""
    assert "December" in sheet.kalshi.title
