"""An alert says everything a person needs, and nothing in it can act on Slack."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.text import closed_text, inert, opened_text, operational_text
from shared.contracts.alerts import OperationalAlert
from tests.unit.alerts.messages import SEEN_NS, closed, opened


def test_an_opened_episode_is_told_with_both_legs_and_every_amount() -> None:
    text = opened_text(opened(), source="curated pairs/games.yaml:12", now_ns=SEEN_NS + 800_000_000)
    assert text.splitlines() == [
        "Edge $4.6405 on 100 contracts: Home side to win",
        "buy 100 YES on Kalshi KXGAME-26NOV22-HOME at $0.43 or less (fees $1.7095)",
        "buy 100 NO on Polymarket 0xabc at $0.5 or less (fees $1.25)",
        "cost $92.4 + fees $2.9595, pays $100",
        "pair game-home from curated pairs/games.yaml:12, seen 800 ms ago, episode opp-1",
    ]


def test_an_episode_that_must_not_be_traded_says_so() -> None:
    text = opened_text(opened(alert_only="rules differ on a draw"), source="", now_ns=SEEN_NS)
    assert text.splitlines()[-1] == "alert only: rules differ on a draw"
    assert "from an unknown source" in text


def test_the_end_of_an_episode_names_its_best_moment() -> None:
    assert closed_text(closed()) == (
        "Over after 1500 ms: pair game-home, best edge $4.6405 on 100 contracts (edge gone), episode opp-1"
    )


def test_trouble_starts_with_its_weight() -> None:
    alert = OperationalAlert(
        alert_id="a", severity="page", code="feed.unauthorised", title="Kalshi refuses the key", happened_ts_ns=1
    )
    assert operational_text(alert) == "PAGE feed.unauthorised: Kalshi refuses the key"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("<!channel> hello", "&lt;!channel&gt; hello"),
        ("<http://evil.example|Kalshi>", "&lt;http: //evil.example|Kalshi&gt;"),
        ("@here & <@U123>", "＠here &amp; &lt;＠U123&gt;"),
        ("*bold* _thin_ ~gone~ `code`", "∗bold∗ ‗thin‗ ∼gone∼ 'code'"),
        ("one\ntwo\r\n> three\x00\x1b[2J", "one two &gt; three[2J"),
        ("pay\u202eout\u200b of \u2066x\u2069", "payout of x"),
        ("a" * 200, "a" * 149 + "…"),
        ("x" * 1_000_000, "x" * 149 + "…"),
        ("", ""),
    ],
)
def test_hostile_titles_are_shown_and_do_nothing(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


@given(st.text(max_size=400))
def test_no_text_keeps_a_control_character_a_tag_or_a_link(text: str) -> None:
    shown = inert(text)
    assert not any(unicodedata.category(character).startswith("C") for character in shown)
    assert not set("<>@`*_~\n") & set(shown)
    assert "://" not in shown
    for entity in ("&amp;", "&lt;", "&gt;"):
        shown = shown.replace(entity, "x")
    assert "&" not in shown
    assert len(shown) <= 150 + text.count("://")
