"""Mapping files are refused whole when a row contradicts itself or another, by file and line."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.mapping_files import MappingsRefused, lint, load
from services.matcher.mapping_rows import CuratedRow, PairsFile
from services.matcher.mapping_text import curated_row, curated_yaml
from shared.domain.pair import Orientation, PairId
from shared.io.yaml_strict import convert, parse
from tests.unit.matcher.listings import CONDITION, OTHER_CONDITION, TOKENS

FED_RULES = "Yes when it is so: Will the Fed cut rates by 25bps in December 2026?"
FED_DESCRIPTION = "Resolves to Yes when it is so: Will the Fed cut rates by 25 bps in December 2026?"
SHIPPED = Path(__file__).resolve().parents[3] / "mappings"


def row(**changes: Any) -> CuratedRow:
    facts: dict[str, Any] = {
        "pair_id": "fed-2026-12-cut-25",
        "category": "economics",
        "orientation": Orientation.SAME,
        "ticker": "KXFEDDECISION-26DEC-C25",
        "event_ticker": "KXFEDDECISION-26DEC",
        "series_ticker": "KXFEDDECISION",
        "yes_label": "Cut 25bps",
        "condition_id": CONDITION,
        "event_slug": "fed-decision-in-december",
        "market_slug": "fed-cut-25-december",
        "outcomes": ("Yes", "No"),
        "token_ids": TOKENS,
        "kalshi_rules_text": FED_RULES,
        "polymarket_rules_text": FED_DESCRIPTION,
        "verified_by": "alice",
        "verified_at": datetime(2026, 11, 21, 18, tzinfo=UTC),
        "not_after": datetime(2026, 12, 9, 19, tzinfo=UTC),
        "evidence": "both rule texts, read side by side",
    }
    return curated_row(**(facts | changes))


def written(folder: Path, *rows: CuratedRow, edit: Callable[[str], str] = str) -> Path:
    (folder / "pairs").mkdir(parents=True, exist_ok=True)
    (folder / "pairs" / "economics.yaml").write_text(edit(curated_yaml(rows)))
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(MappingsRefused) as refused:
        load(folder)
    return str(refused.value)


def test_the_shipped_mappings_load_and_switch_nothing_on() -> None:
    mappings = load(SHIPPED)
    assert lint(SHIPPED) == []
    assert {"mlb", "nba", "nfl", "nhl", "wnba", "college", "soccer", "nations", "persons"} <= mappings.leagues.keys()
    assert not any(template.enabled for template in mappings.templates)
    assert mappings.fees is not None
    assert not mappings.rows


def test_the_row_of_the_mapping_guide_is_one_that_loads(tmp_path: Path) -> None:
    guide = (SHIPPED.parent / "docs" / "mapping-guide.md").read_text()
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "guide.yaml").write_text(guide.split("```yaml\n")[1].split("```")[0])
    [placed] = load(tmp_path).rows.values()
    assert placed.row.status == "approved"
    assert placed.row.max_notional_dollars == Decimal(250)
    assert placed.row.polymarket.outcomes == ("Yes", "No")


def test_a_series_is_switched_on_by_name_and_an_unknown_one_is_refused() -> None:
    mappings = load(SHIPPED).switched_on(["KXNBAGAME"])
    assert [template.kalshi_series for template in mappings.templates if template.enabled] == ["KXNBAGAME"]
    with pytest.raises(Exception, match="MATCHER_TEMPLATES_ON: no template for series KXNOPE"):
        mappings.switched_on(["KXNOPE"])


def test_rows_that_were_written_are_read_back_equal(tmp_path: Path) -> None:
    inverted = row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", orientation=Orientation.INVERTED)
    rows = (row(tail_risks=("void: 50-50",), max_notional_dollars=Decimal("250.50")), inverted)
    mappings = load(written(tmp_path, *rows))
    assert [placed.row for placed in mappings.rows.values()] == list(rows)
    assert mappings.rows[PairId("b")].row.polymarket.yes_token_id == TOKENS[1]
    assert mappings.rows[PairId("fed-2026-12-cut-25")].row.max_notional_dollars == Decimal("250.50")


@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=2, unique=True), st.text(max_size=40))
def test_any_label_survives_writing_and_reading(outcomes: list[str], evidence: str) -> None:
    curated = row(evidence=evidence)
    side = msgspec.structs.replace(curated.polymarket, outcomes=tuple(outcomes))
    curated = msgspec.structs.replace(curated, polymarket=side, status="candidate")
    try:
        text = curated_yaml([curated]).encode()
    except UnicodeEncodeError:
        return
    assert convert(parse("f", text), PairsFile).pairs == (curated,)


def test_no_rows_make_a_file_that_loads(tmp_path: Path) -> None:
    assert load(written(tmp_path)).rows == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('orientation: "same"', "orientation: inverted", "inverted but yes_token_id is the token of outcome 0"),
        ('orientation: "same"', "orientation: sideways", "Invalid enum value 'sideways'"),
        ('relation: "equivalent"', "relation: near", "only equivalent pairs are approved"),
        ('verified_by: "alice"', "verified_by: null", "approved without review.verified_by"),
        ('not_after: "2026-12-09T19:00:00Z"', "not_after: null", "approved without not_after"),
        ('not_after: "2026-12-09T19:00:00Z"', "not_after: 2026-12-09T19:00:00", "has no time zone"),
        ('not_after: "2026-12-09T19:00:00Z"', "not_after: tomorrow", "Invalid RFC3339"),
        ('outcomes: ["Yes", "No"]', "outcomes: [Player G, No]", "'Player G' is a placeholder"),
        ('outcomes: ["Yes", "No"]', "outcomes: [Yes, Yes]", "outcomes are equal"),
        ('outcomes: ["Yes", "No"]', "outcomes: [Yes, No, Maybe]", "Expected `array` of length 2"),
        (f'condition_id: "{CONDITION}"', "condition_id: 0x12", "'0x12' is not 0x and 64 hex digits"),
        ('category: "economics"', "category: weather", "category weather needs a second_reviewer"),
        ('category: "economics"', "category: ../x", "category '../x' is not lower case letters"),
        ('max_notional_usd: null', "max_notional_usd: 1e9", "not a plain decimal number"),
        ('ticker: "KXFEDDECISION-26DEC-C25"', "ticker: KXCPI-26DEC-C25", "is not in KXFEDDECISION-26DEC"),
        ('status: "approved"', "status: yes", "Invalid enum value 'yes'"),
        ('yes_label: "Cut 25bps"', "yes_lable: Cut 25bps", "unknown key `yes_lable`"),
        (f'no_token_id: "{TOKENS[1]}"', "no_token_id: 5", "are not the two token_ids"),
        ('schema_version: 1', "schema_version: 2", "Invalid enum value '2'"),
        ("pairs:", "pairs: []\npairs:", "key `pairs` again"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    def edit(text: str) -> str:
        assert old in text, text
        return text.replace(old, new, 1)

    message = refusal(written(tmp_path, row(), edit=edit))
    assert message.startswith(f"{tmp_path}/pairs/economics.yaml:")
    assert said in message


def test_the_line_of_an_unknown_key_is_its_own(tmp_path: Path) -> None:
    folder = written(tmp_path, row(), edit=lambda text: text.replace("yes_label", "yes_lable"))
    lines = (folder / "pairs" / "economics.yaml").read_text().splitlines()
    expected = next(number for number, line in enumerate(lines, start=1) if "yes_lable" in line)
    assert f"economics.yaml:{expected}: unknown key `yes_lable`, correct or remove it" in refusal(folder)


def test_a_hex_id_and_token_without_quotes_stay_text(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        row(),
        edit=lambda text: text.replace(f'"{CONDITION}"', CONDITION).replace(f'"{TOKENS[0]}"', TOKENS[0]),
    )
    [placed] = load(folder).rows.values()
    assert placed.row.polymarket.condition_id == CONDITION
    assert placed.row.polymarket.token_ids == TOKENS


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (row(), "pair_id fed-2026-12-cut-25 again"),
        (row(pair_id="b"), "approved ticker KXFEDDECISION-26DEC-C25 again"),
        (row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0"), f"approved yes_token_id {TOKENS[0]} again"),
        (msgspec.structs.replace(row(pair_id="b"), status="rejected"), "market pair KXFEDDECISION-26DEC-C25~0x"),
        (row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", condition_id=OTHER_CONDITION), "belongs to another"),
        (row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", outcomes=("No", "Yes")), "has other outcomes or token_ids"),
    ],
)
def test_m02_one_market_in_two_pairs_is_refused_with_both_places(tmp_path: Path, second: CuratedRow, said: str) -> None:
    message = "; ".join(map(str, lint(written(tmp_path, row(), second))))
    assert said in message
    assert f"{tmp_path}/pairs/economics.yaml:3" in message, "where the first row stands"


def test_both_teams_of_a_game_may_share_a_market_the_opposite_way_round(tmp_path: Path) -> None:
    other = row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", orientation=Orientation.INVERTED)
    assert len(load(written(tmp_path, row(), other)).rows) == 2


def test_m02_a_flipped_orientation_needs_a_newer_review(tmp_path: Path) -> None:
    before = load(written(tmp_path, row()))
    written(tmp_path, row(orientation=Orientation.INVERTED))
    with pytest.raises(MappingsRefused, match="changed without a newer review"):
        load(tmp_path, previous=before)
    written(tmp_path, row(orientation=Orientation.INVERTED, verified_at=datetime(2026, 11, 22, tzinfo=UTC)))
    assert load(tmp_path, previous=before).rows


def test_only_files_of_rows_that_changed_are_read_again(tmp_path: Path) -> None:
    written(tmp_path, row())
    other = row(pair_id="b", ticker="KXFEDDECISION-26DEC-H0", orientation=Orientation.INVERTED)
    (tmp_path / "pairs" / "more.yaml").write_text(curated_yaml([other]))
    before = load(tmp_path)
    assert len(before.rows) == 2
    (tmp_path / "pairs" / "more.yaml").write_text(curated_yaml([]))
    after = load(tmp_path, previous=before)
    [first] = after.rows.values()
    assert first is before.rows[first.row.id], "the same object: nobody read it twice"
    assert after == load(tmp_path)


def test_every_problem_is_listed_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    written(tmp_path, row(), row(), row(pair_id="c", condition_id=OTHER_CONDITION))
    (tmp_path / "aliases").mkdir()
    (tmp_path / "aliases" / "nba.yaml").write_text("schema_version: 1\nleague: nba\nteam: []\n")
    problems = lint(tmp_path)
    assert [Path(problem.file).name for problem in problems][:1] == ["nba.yaml"]
    assert [problem.line for problem in problems if problem.file.endswith("economics.yaml")] == sorted(
        problem.line for problem in problems if problem.file.endswith("economics.yaml")
    )
    assert len(problems) >= 4


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("aliases/nba.yaml", 'kalshi_codes: ["BOS"]', 'kalshi_codes: ["ATL"]', "kalshi code 'ATL' of atl and bos"),
        ("aliases/nba.yaml", "league: nba", "league: nfl", "league nfl has a table already"),
        ("templates/nba.yaml", "enabled: false", "enabled: sometimes", "Expected `bool`"),
        ("templates/nba.yaml", "league: nba", "league: nbb", "league nbb has no table"),
        ("templates/nba.yaml", "kalshi_series: KXNBAGAME", "kalshi_series: KXNFLGAME", "KXNFLGAME has a template"),
        ("fees.yaml", 'taker_rate: "0.05"', "taker_rate: five", "not a plain decimal number"),
    ],
)  # fmt: skip
def test_tables_and_templates_are_checked_too(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = tmp_path / "mappings"
    shutil.copytree(SHIPPED, folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    assert said in " ".join(map(str, lint(folder)))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no such folder, set MATCHER_MAPPINGS_DIR" in refusal(tmp_path / "nowhere")


DEFAULTED = """schema_version: 1
defaults: {kind: contest, league: soccer, contest: soccer, void_risk: usual, source: read}
templates:
  - {template_id: a, enabled: false, asks: result, kalshi_series: KXA}
  - {template_id: b, enabled: true, asks: total, kalshi_series: KXB, void_risk: other, contest: women}
"""


def with_templates(folder: Path, text: str) -> Path:
    (folder / "templates").mkdir()
    (folder / "templates" / "soccer.yaml").write_text(text)
    (folder / "aliases").mkdir()
    shutil.copy(SHIPPED / "aliases" / "soccer.yaml", folder / "aliases")
    return folder


def test_an_entry_has_the_defaults_of_its_file_for_what_it_leaves_out(tmp_path: Path) -> None:
    first, second = load(with_templates(tmp_path, DEFAULTED)).templates
    assert (first.kind, first.league, first.contest, first.void_risk, first.source) == (
        *("contest", "soccer", "soccer"),
        *("usual", "read"),
    )
    assert (second.contest, second.void_risk, second.source, second.enabled) == ("women", "other", "read", True)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("source: read", "sauce: read", 2, "unknown key `sauce`"),
        ("source: read", "enabled: true", 2, "unknown key `enabled`"),
        ("source: read", "kalshi_series: KXC", 2, "unknown key `kalshi_series`"),
        ("source: read", "source: ~", 4, "missing required field `source`"),
        ("source: read", "source: [read]", 2, "Expected `str"),
        ("league: soccer", "league: cricket", 4, "league cricket has no table"),
        ("kind: contest", "kind: game", 4, "Invalid enum value 'game'"),
        ("void_risk: other", "void_risk: ~", 5, "Expected `str`, got `null`"),
        (
            "{kind: contest, league: soccer, contest: soccer, void_risk: usual, source: read}",
            "[kind]",
            2,
            "Expected `obj",
        ),
        ("template_id: b", "template_id: [b]", 5, "Expected `str`, got `array`"),
    ],
)
def test_defaults_are_as_strict_as_entries_and_errors_name_their_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert DEFAULTED.count(old) == 1
    problem = lint(with_templates(tmp_path, DEFAULTED.replace(old, new)))[0]
    assert (problem.line, said in problem.what) == (line, True), problem
