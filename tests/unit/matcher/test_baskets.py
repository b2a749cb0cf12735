"""Baskets are live only while a person's row and the venue's own word both hold; anything else takes them down."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.matcher.basket_rows import BasketRow, BasketsFile
from services.matcher.baskets import BasketChange, BasketMatcher
from services.matcher.mapping_files import lint, load, notices
from shared.contracts.baskets import BasketActivated, BasketRetired, BasketSuspended
from shared.domain.live_basket import BasketId
from shared.domain.market import Market, MarketStatus, Venue
from shared.io.yaml_strict import YamlRefused, convert, parse
from tests.unit.domain.test_live_basket import market, three

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_ID = BasketId("kalshi-race-every_no")
KALSHI, POLYMARKET = Venue.KALSHI, Venue.POLYMARKET

ROW = """
  - venue: kalshi
    event: race
    kind: every_no
    reviewed_by: alice
    reviewed_at: 2026-11-20T09:00:00Z
    source: "rules of KXRACE: one seat, one winner"
"""


def row(**changes: str) -> BasketRow:
    """A row with lines changed or, by an empty text, left out."""
    fields = {
        "venue": "kalshi",
        "event": "race",
        "kind": "every_no",
        "reviewed_by": "alice",
        "reviewed_at": "2026-11-20T09:00:00Z",
        "source": "rules of KXRACE",
    } | changes
    text = "schema_version: 1\nbaskets:\n" + "".join(
        f"  {'- ' if at == 0 else '  '}{name}: {value!r}\n" for at, (name, value) in enumerate(fields.items()) if value
    )
    [found] = convert(parse("baskets.yaml", text.encode()), BasketsFile).baskets or ()
    return found


def started(rows: list[BasketRow], *markets: Market) -> tuple[BasketMatcher, list[BasketChange]]:
    matcher = BasketMatcher(rows, {})
    for one in markets:
        matcher.put(one)
    return matcher, matcher.decide(NOW)


def said(changes: list[BasketChange]) -> list[tuple[str, str]]:
    """The kinds of messages and what they give as a reason."""
    return [(type(change.message).__name__, getattr(change.message, "reason", "")) for change in changes]


def test_a_row_and_the_venues_word_together_make_a_basket_of_every_tradable_market() -> None:
    _, [change] = started([row()], *three(KALSHI), market("D", event_id="another"))
    assert isinstance(change.message, BasketActivated)
    basket = change.message.basket
    assert (change.basket_id, basket.basket_id) == (NO_ID, NO_ID)
    assert basket.market_ids == ("A", "B", "C")
    assert basket.source == "baskets.yaml, event race (alice, 2026-11-20T09:00:00+00:00)"
    assert [member.label for member in basket.members] == ["A", "B", "C"]


def test_without_a_row_there_is_no_basket_whatever_the_venue_says() -> None:
    _, changes = started([], *three(KALSHI))
    assert changes == []


def test_a_row_of_a_series_is_about_each_of_its_events() -> None:
    def of_event(event: str) -> list[Market]:
        return [
            msgspec.structs.replace(one, market_id=f"{event}-{one.market_id}", event_id=event, series_id="KXRACE")
            for one in three(KALSHI)
        ]

    _, changes = started([row(event="", series="KXRACE")], *of_event("north"), *of_event("south"), *three(KALSHI))
    assert [change.basket_id for change in changes] == ["kalshi-north-every_no", "kalshi-south-every_no"]


@pytest.mark.parametrize(
    ("venue", "kind", "changes", "why"),
    [
        (KALSHI, "every_no", {"mutually_exclusive": None}, "does not say whether"),
        (KALSHI, "every_no", {"mutually_exclusive": False}, "denies"),
        (POLYMARKET, "every_no", {"neg_risk_augmented": True}, "augmented"),
        (POLYMARKET, "every_no", {"neg_risk_augmented": None}, "does not say whether the event is augmented"),
        (POLYMARKET, "every_no", {"never_match": "the event's Other"}, "the event's Other"),
        (POLYMARKET, "every_yes", {"event_market_count": 4}, "not known how many"),
        (POLYMARKET, "every_yes", {"neg_risk": False}, "denies"),
    ],
)
def test_a_listing_that_stops_bearing_a_basket_takes_it_down_with_its_first_changed_market(
    venue: Venue, kind: str, changes: dict[str, Any], why: str
) -> None:
    matcher, before = started([row(venue=venue.value, kind=kind)], *three(venue))
    assert said(before) == [("BasketActivated", "")]
    matcher.put(three(venue, **changes)[-1])
    [change] = matcher.decide(NOW)
    assert isinstance(change.message, BasketSuspended)
    assert why in change.message.reason
    assert change.was_live
    assert matcher.decide(NOW) == []
    matcher.put(three(venue)[-1])
    assert said(matcher.decide(NOW)) == [("BasketActivated", "")], "the listing bears it again"


def test_an_augmented_event_is_never_live_but_says_why() -> None:
    listed = [msgspec.structs.replace(one, neg_risk_augmented=True) for one in three(POLYMARKET)]
    _, changes = started([row(venue="polymarket"), row(venue="polymarket", kind="every_yes")], *listed)
    assert said(changes) == 2 * [
        ("BasketSuspended", "Polymarket says that the event is augmented: markets may still be named")
    ]


def test_every_yes_ends_when_a_market_of_the_event_is_over_because_it_may_have_been_the_one() -> None:
    matcher, _ = started([row(venue="polymarket", kind="every_yes"), row(venue="polymarket")], *three(POLYMARKET))
    matcher.put(market("C", POLYMARKET, status=MarketStatus.SETTLED))
    changes = {change.basket_id: change.message for change in matcher.decide(NOW)}
    assert isinstance(changes[BasketId("polymarket-race-every_yes")], BasketSuspended)
    of_nos = changes[BasketId("polymarket-race-every_no")]
    assert isinstance(of_nos, BasketActivated), "of the two that are left at most one comes true"
    assert of_nos.basket.market_ids == ("A", "B")


def test_one_market_alone_is_no_basket() -> None:
    matcher, _ = started([row()], *three(KALSHI))
    for name in "AB":
        matcher.remove(KALSHI, market(name).market_id)
    assert said(matcher.decide(NOW)) == [("BasketSuspended", "a basket takes two or more different markets, not 1")]
    matcher.remove(KALSHI, market("C").market_id)
    assert said(matcher.decide(NOW)) == [("BasketRetired", "its event is over, or no row switches it on")]


def test_a_market_that_moves_to_another_event_leaves_the_basket() -> None:
    matcher, _ = started([row()], *three(KALSHI))
    matcher.put(market("C", event_id="another"))
    [change] = matcher.decide(NOW)
    assert isinstance(change.message, BasketActivated)
    assert change.message.basket.market_ids == ("A", "B")


def test_removing_the_row_or_reaching_its_end_retires_the_basket() -> None:
    matcher, _ = started([row()], *three(KALSHI))
    matcher.use([], {KALSHI: {one.market_id: one for one in three(KALSHI)}})
    [change] = matcher.decide(NOW)
    assert isinstance(change.message, BasketRetired)
    assert (change.retires, change.was_live) == (True, True)

    matcher, _ = started([row(not_after="2026-11-22T13:00:00Z")], *three(KALSHI))
    assert matcher.decide(NOW) == []
    later = NOW + timedelta(hours=1)
    assert said(matcher.decide(later)) == [("BasketRetired", "past its not_after 2026-11-22T13:00:00Z")]
    matcher.put(market("C", title="reworded"))
    assert matcher.decide(later) == []


def test_a_new_row_reaches_events_that_were_listed_before() -> None:
    matcher, _ = started([], *three(KALSHI))
    matcher.use([row()], {KALSHI: {one.market_id: one for one in three(KALSHI)}})
    assert said(matcher.decide(NOW)) == [("BasketActivated", "")]


def test_a_restart_with_nothing_new_says_nothing_and_one_without_the_row_retires() -> None:
    before, _ = started([row()], *three(KALSHI))
    again = BasketMatcher([row()], before.published)
    for one in three(KALSHI):
        again.put(one)
    assert again.decide(NOW) == []
    without = BasketMatcher([], before.published)
    assert said(without.decide(NOW)) == [("BasketRetired", "its event is over, or no row switches it on")]


def test_an_event_of_too_many_markets_is_refused_by_number() -> None:
    many = [market(f"M{at:02}") for at in range(61)]
    _, [change] = started([row()], *many)
    assert said([change]) == [("BasketSuspended", "the event has 61 markets; at most 60 are looked at together")]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "yes_and_no"}, "NO is the mirror of YES"),
        ({"kind": "every_yes"}, "at most one YES, not one"),
        ({"series": "KXRACE"}, "name one of the two"),
        ({"event": ""}, "name one of the two"),
        ({"event": "a b"}, "is no event or series"),
        ({"reviewed_by": " "}, "say who has read the rules"),
        ({"source": " "}, "say who has read the rules"),
        ({"reviewed_at": "2026-11-20T09:00:00"}, "no time zone"),
        ({"not_after": "2026-11-20T09:00:00"}, "no time zone"),
        ({"venue": "elsewhere"}, "elsewhere"),
        ({"kinds": "every_no"}, "kinds"),
    ],
)
def test_a_row_that_promises_more_than_the_venue_does_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(YamlRefused, match=why):
        row(**changes)


def folder_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "baskets.yaml").write_text(f"schema_version: 1\nbaskets:{text}")
    return tmp_path


def test_lint_covers_the_file_and_names_line_and_remedy(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ROW + ROW)
    [problem] = lint(folder)
    assert str(problem) == f"{folder}/baskets.yaml:10: kalshi event race every_no again, keep one of the rows"
    answer = CliRunner().invoke(app, ["pairs", "lint", str(folder)])
    assert answer.exit_code == 1
    assert "baskets.yaml:10" in answer.stdout


def test_a_good_file_is_loaded_and_a_row_past_its_end_is_noticed(tmp_path: Path) -> None:
    mappings = load(folder_with(tmp_path, f"{ROW}    not_after: 2026-11-21T00:00:00Z\n"))
    assert [(one.event, one.reviewed_by) for one in mappings.baskets] == [("race", "alice")]
    assert [notice.what for notice in notices(mappings, NOW)] == ["race is past its not_after, remove it"]


def test_none_is_switched_on_as_shipped() -> None:
    assert load(Path(__file__).resolve().parents[3] / "mappings").baskets == ()


def test_the_rows_of_the_mapping_guide_are_rows() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "mapping-guide.md").read_text()
    [text] = [
        block.partition("```")[0] for block in guide.split("```yaml\n") if "\nbaskets:" in block.partition("```")[0]
    ]
    rows = convert(parse("mapping-guide.md", text.encode()), BasketsFile).baskets or ()
    assert [(one.venue.value, one.kind.value) for one in rows] == [("kalshi", "every_no"), ("polymarket", "every_yes")]
