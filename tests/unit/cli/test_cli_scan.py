"""``dutchbook scan``: one row per live pair and basket from the messages on the bus, told as text that does nothing."""

import io
import json
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from services.cli.scan import Lines, LiveTable
from services.cli.scan_rows import Scan, ScanRow, ScanView
from services.cli.scan_text import headline, line_of, lines_of, table_of
from services.cli.why_answers import OLD_S
from shared.contracts.baskets import BasketActivated, BasketOpened, BasketRetired, BasketSuspended
from shared.contracts.funnel import PairStanding
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened
from shared.contracts.pairs import CandidateFound, CandidateReviewed, PairActivated, PairRetired, PairSuspended
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Orientation, Pair, PairId
from tests.unit.arb_detector.basket_scene import BasketScene
from tests.unit.arb_detector.scene import Scene, pair

HOSTILE = "\x1b[2J\x1b]0;owned\x07Yes\u202e \r\n[red]no[/red] \x9b31m"


def sweep(scene: Scene) -> PairStanding:
    [standing] = [message for message in scene.detector.sweep() if isinstance(message, PairStanding)]
    return standing


def view_of(scene: Scene) -> ScanView:
    """A view that has read everything which the scene's detector said of its pair."""
    view = ScanView()
    view.take(PairActivated(pair=scene.pair))
    for message in scene.said:
        view.take(message)
    view.take(sweep(scene))
    return view


def only_row(view: ScanView, *, now_ns: int) -> ScanRow:
    [row] = view.scan(now_ns=now_ns).rows
    return row


def candidate() -> CandidateFound:
    return CandidateFound(
        pair_id=PairId("maybe"),
        kalshi_ticker=MarketId("KXA"),
        polymarket_id=MarketId("0xa"),
        orientation=Orientation.SAME,
        relation="equivalent",
        score=Decimal("0.8"),
        kalshi_title="A",
        polymarket_title="B",
    )


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_pair_has_its_better_direction_and_what_the_first_contract_would_earn() -> None:
    """0.41 + 0.53 is 0.94 for a dollar; fees are 0.07 x 0.41 x 0.59 and 0.05 x 0.53 x 0.47."""
    scene = Scene()
    scene.offer()
    row = only_row(view_of(scene), now_ns=scene.clock.now_ns() + 2_000_000_000)
    assert (row.kind, row.id, row.title, row.state) == ("pair", "hou-por", "Houston at Portland", "watched")
    assert (row.direction, row.edge_dollars_per_contract) == ("yes_kalshi_no_polymarket", Decimal("0.030612"))
    assert (row.reason, row.for_ms, row.age_ms) == ("edge is younger than the debounce", 2_000, 2_000)
    assert row.opportunities == row.doubts == ()


def test_an_open_episode_tells_its_size_its_edge_and_its_age_and_goes_when_it_closes() -> None:
    scene = Scene()
    scene.offer()
    scene.tick(after_ms=60)
    [opened] = [message for message in scene.said if isinstance(message, OpportunityOpened)]
    view = view_of(scene)
    row = only_row(view, now_ns=opened.opened_ts_ns + 1_500_000_000)
    [found] = row.opportunities
    assert row.state == "open"
    assert (found.opportunity_id, found.contracts) == (opened.opportunity_id, opened.contracts)
    assert (found.edge_dollars, found.capital_dollars) == (opened.edge_dollars, opened.capital_dollars)
    assert (found.annualised_return, found.age_ms) == (opened.annualised_return, 1_500)

    said = scene.take(scene.stale(Venue.KALSHI))
    assert any(isinstance(message, OpportunityClosed) for message in said)
    for message in (*said, sweep(scene)):
        view.take(message)
    row = only_row(view, now_ns=scene.clock.now_ns())
    assert (row.state, row.opportunities) == ("watched", ())


def test_no_edge_is_told_while_a_leg_may_not_be_believed() -> None:
    scene = Scene()
    scene.offer()
    scene.beat(Venue.POLYMARKET, lag_ms=5_000)
    standing = sweep(scene)
    assert standing.directions[0].edge_dollars_per_contract is not None, "the prices are there"
    row = only_row(view_of(scene), now_ns=scene.clock.now_ns())
    assert (row.direction, row.edge_dollars_per_contract) == ("", None)
    assert row.doubts == ("polymarket: connection lags behind the venue",)


def test_no_edge_is_told_of_legs_that_were_verified_at_different_times() -> None:
    scene = Scene()
    scene.offer()
    view = view_of(scene)
    view.take(msgspec.structs.replace(sweep(scene), reason="legs were verified at different times"))
    assert only_row(view, now_ns=scene.clock.now_ns()).edge_dollars_per_contract is None


def test_an_old_word_tells_no_edge_and_says_that_nobody_looks() -> None:
    scene = Scene()
    scene.offer()
    view, now_ns = view_of(scene), scene.clock.now_ns()
    row = only_row(view, now_ns=now_ns + (OLD_S + 1) * 1_000_000_000)
    assert row.edge_dollars_per_contract is None
    assert row.reason.startswith(f"no detector has looked at it for {OLD_S + 1} s; then: ")
    later = only_row(view, now_ns=now_ns + (OLD_S + 9) * 1_000_000_000)
    assert (later.is_old, later.reason != row.reason, later.figures) == (True, True, row.figures)


def test_a_pair_without_a_standing_asks_whether_a_detector_runs() -> None:
    view = ScanView()
    view.take(PairActivated(pair=pair()))
    row = only_row(view, now_ns=1)
    assert (row.reason, row.age_ms, row.for_ms) == ("no detector has looked at it yet; does one run?", None, None)


def test_only_live_pairs_have_a_row_and_the_others_are_counted() -> None:
    view = ScanView()
    for message in (PairActivated(pair=pair()), candidate(), PairSuspended(pair=other("b"), reason="rules changed")):
        view.take(message)
    counts = view.scan(now_ns=1).counts
    assert (counts.pairs, counts.suspended, counts.candidates, counts.open) == (1, 1, 1, 0)
    assert headline(counts) == "1 live pair, 0 baskets, 0 open; 1 suspended, 1 candidate for review"
    view.take(CandidateReviewed(pair_id=PairId("maybe"), approved=False, reviewer="alice"))
    view.take(PairSuspended(pair=pair(), reason="closed"))
    view.take(PairActivated(pair=other("b")))
    scan = view.scan(now_ns=1)
    assert ([row.id for row in scan.rows], scan.counts.suspended, scan.counts.candidates) == (["b"], 1, 0)
    view.take(PairRetired(pair_id=PairId("b"), reason="over"))
    assert view.scan(now_ns=1).rows == ()


def other(name: str) -> Pair:
    return pair(pair_id=PairId(name))


def test_open_opportunities_come_first_and_then_the_nearest_to_one() -> None:
    scene = Scene()
    scene.offer()
    scene.tick(after_ms=60)
    view, standing = view_of(scene), sweep(scene)
    for name, edge in (("far", "-0.05"), ("near", "-0.001"), ("untold", None), ("open2", "0.02")):
        told = None if edge is None else Decimal(edge)
        directions = tuple(msgspec.structs.replace(one, edge_dollars_per_contract=told) for one in standing.directions)
        view.take(PairActivated(pair=other(name)))
        view.take(msgspec.structs.replace(standing, pair_id=PairId(name), directions=directions))
    [opened] = [message for message in scene.said if isinstance(message, OpportunityOpened)]
    view.take(msgspec.structs.replace(opened, pair_id=PairId("open2"), edge_dollars=opened.edge_dollars + 1))
    assert [row.id for row in view.scan(now_ns=1).rows] == ["open2", "hou-por", "near", "far", "untold"]


def test_a_basket_has_a_row_too() -> None:
    scene = BasketScene()
    scene.take(*scene.bids()[:2], scene.bid("m-c", "0.25", verified=""))
    standing, view = scene.standing(), ScanView()
    for message in (BasketActivated(basket=scene.basket), standing):
        view.take(message)
    row = only_row(view, now_ns=standing.as_of_ts_ns)
    assert (row.kind, row.id, row.edge_dollars_per_contract) == ("basket", "kalshi-race-every_no", None)
    believed = tuple(msgspec.structs.replace(leg, reason="") for leg in standing.legs)
    view.take(msgspec.structs.replace(standing, legs=believed))
    row = only_row(view, now_ns=standing.as_of_ts_ns)
    assert (row.direction, row.edge_dollars_per_contract) == ("every_no", standing.edge_dollars_per_contract)
    assert row.alert_only.startswith("a basket is alert-only")
    view.take(BasketSuspended(basket=scene.basket, reason="Kalshi denies it"))
    assert (view.scan(now_ns=1).rows, view.scan(now_ns=1).counts.suspended) == ((), 1)
    view.take(BasketRetired(basket_id=scene.basket.basket_id, reason="over"))
    assert view.scan(now_ns=1).counts.suspended == 0


def test_an_open_basket_is_told_like_a_pair() -> None:
    scene, view = BasketScene(), ScanView()
    scene.take(*scene.bids())
    scene.tick(after_ms=60)
    [opened] = [message for message in scene.said if isinstance(message, BasketOpened)]
    for message in (BasketActivated(basket=scene.basket), opened, scene.standing()):
        view.take(message)
    row = only_row(view, now_ns=opened.opened_ts_ns)
    assert (row.state, row.opportunities[0].direction) == ("open", "every_no")
    assert row.opportunities[0].edge_dollars == opened.edge_dollars


# --- text -------------------------------------------------------------------------------------------------------------


def open_scan(**changes: object) -> Scan:
    scene = Scene(the_pair=pair(**changes))
    scene.offer()
    scene.tick(after_ms=60)
    return view_of(scene).scan(now_ns=scene.clock.now_ns() + 3_200_000_000)


def test_lines_are_columns_with_the_open_one_marked() -> None:
    scan = open_scan()
    [found] = scan.rows[0].opportunities
    yearly = msgspec.structs.replace(found, annualised_return=Decimal("0.3512"))
    row = msgspec.structs.replace(scan.rows[0], opportunities=(yearly,))
    head, names, line = lines_of(msgspec.structs.replace(scan, rows=(row,)))
    assert head == "1 live pair, 0 baskets, 1 open; 0 suspended, 0 candidates for review"
    assert line.startswith("OPEN  hou-por         Houston at Portland  YES Kalshi + NO Polymarket    $0.0306  ")
    assert line.endswith("  150  $3.39   35.1%     3.2 s  open and unchanged (for 3.2 s)")
    assert names.index("standing") == line.index("open and")
    assert names.index("edge each") + len("edge each") == line.index("$0.0306") + len("$0.0306")


def shown(scan: Scan, *, width: int = 200, most: int = 9) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(table_of(scan, header="", width=width, most=most))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("tell", [lambda scan: "\n".join(lines_of(scan)), shown, lambda scan: line_of(scan.rows[0])])
def test_a_hostile_title_is_text_and_steers_nothing(tell: object) -> None:
    assert callable(tell)
    text = tell(open_scan(title=HOSTILE))
    assert "\\u001b[2J\\u001b]0;owned" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("\n") <= 4


def test_a_narrow_terminal_loses_titles_and_a_short_one_rows() -> None:
    scan = open_scan()
    assert "Houston at Portland" in shown(scan)
    assert "Houston at Portland" not in shown(scan, width=100)
    many = msgspec.structs.replace(scan, rows=scan.rows * 5)
    assert shown(many, most=2).count("hou-por") == 2
    assert shown(many, most=2).rstrip().endswith("and 3 more")
    assert "contracts" in shown(scan)
    watched = msgspec.structs.replace(scan.rows[0], opportunities=(), state="watched")
    assert "contracts" not in shown(msgspec.structs.replace(scan, rows=(watched,)))


# --- following --------------------------------------------------------------------------------------------------------


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_row_is_printed_again_only_when_more_than_its_age_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    scene, lines = Scene(), Lines(as_json=False)
    scene.offer()
    view, now_ns = view_of(scene), scene.clock.now_ns()
    lines.show(view.scan(now_ns=now_ns), silent_s=0)
    assert len(printed(capsys)) == 1
    lines.show(view.scan(now_ns=now_ns + 5_000_000_000), silent_s=0)
    assert printed(capsys) == []
    scene.beat(Venue.KALSHI, state="down")
    scene.take(scene.kalshi())
    view.take(sweep(scene))
    lines.show(view.scan(now_ns=now_ns), silent_s=0)
    [line] = printed(capsys)
    assert "connection is not live" in line
    view.take(PairRetired(pair_id=scene.pair.pair_id, reason="over"))
    lines.show(view.scan(now_ns=now_ns), silent_s=0)
    assert printed(capsys) == ["gone  hou-por  no longer live"]


def test_json_lines_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    lines, scan = Lines(as_json=True), open_scan(title=HOSTILE)
    lines.show(scan, silent_s=0)
    lines.show(msgspec.structs.replace(scan, rows=()), silent_s=0)
    row, gone = (json.loads(line) for line in printed(capsys))
    assert (row["title"], row["state"], row["opportunities"][0]["contracts"]) == (HOSTILE, "open", "150")
    assert (gone["id"], gone["state"], gone["opportunities"]) == (row["id"], "gone", [])


def test_an_outage_of_redis_is_one_line_when_it_begins_and_one_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, scan = Lines(as_json=False), open_scan()
    for silent_s in (0.0, 4.0, 5.0, 0.0, 0.0):
        lines.show(scan, silent_s=silent_s)
    assert capsys.readouterr().err.splitlines() == ["Redis does not answer; waiting for it", "Redis answers again"]


def test_a_table_says_that_it_is_from_before_while_redis_is_away() -> None:
    console = Console(file=io.StringIO(), width=140, height=20, force_terminal=True)
    with LiveTable(console) as table:
        table.show(open_scan(), silent_s=4.4)
    assert isinstance(console.file, io.StringIO)
    assert "REDIS DOES NOT ANSWER for 4 s, this is from before: 1 live pair" in console.file.getvalue()
