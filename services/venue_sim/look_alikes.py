"""Questions that a careless matcher gets wrong: true pairs nobody has mapped, and look-alikes that are no pairs.

All names are invented, all sentences our own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction

from services.venue_sim.markets import KalshiSeries, MappingKind
from services.venue_sim.topics import (
    CULTURE,
    ECONOMICS,
    GOVERNOR,
    NOMINEE,
    POLITICS,
    KalshiSide,
    PolymarketSide,
    Topic,
    inflation_topic,
    month_after,
    series,
)

DIRECTOR = series("KXOSCARDIR", "Academy Award for Directing", "Entertainment")
ECONOMY = series("KXECONOMY", "State of the US economy", "Economics")
WORLD = series("KXWORLD", "World events", "World")

FREE = Fraction(0)


_CHARGED = {
    "economics": ("economics_fees", ECONOMICS),
    "politics": ("politics_fees", POLITICS),
    "culture": ("culture_fees", CULTURE),
    "world": ("geopolitics", FREE),
}
"""Polymarket's fee type and rate by category."""


def unmapped(start: datetime) -> Iterator[Topic]:
    """True pairs that nobody has mapped."""
    year = start.year + 1
    end = datetime(year + 1, 1, 1, 5, tzinfo=UTC)
    for place, ours, theirs, fair_e4, category in (
        ((ECONOMY, f"REC{year % 100}", "Y"), "the US be in a recession in", "US recession in", 2_600, "economics"),
        ((WORLD, f"PACT{year % 100}", "Y"), "the Harrow pact be signed in", "Harrow pact signed in", 3_700, "world"),
        ((ECONOMY, f"JOBS{year % 100}", "Y"), "unemployment reach 5% in", "5% unemployment in", 3_300, "economics"),
    ):
        titles = (f"Will {ours} {year}?", f"{theirs} {year}?")
        yield _plain("review", place, titles, end, fairs_e4=(fair_e4, 0), fees=_CHARGED[category])


def look_alikes(start: datetime) -> Iterator[Topic]:
    """Two questions that read alike and settle differently."""
    yield inflation_topic("look_alike", month_after(start, 1), month_after(start, 2), (31, 32), (4_700, 3_800))
    year, cycle = start.year + 1, start.year // 4 * 4 + 4
    end = datetime(year + 1, 1, 1, 5, tzinfo=UTC)
    for place, ours, theirs, fairs_e4, category, why in (
        (
            (NOMINEE, f"PRES{cycle % 100}", "AV"),
            f"Adela Voss be the {cycle} Democratic nominee",
            f"Adela Voss win the {cycle} presidential election",
            (3_900, 2_800),
            "politics",
            "nominee against winner",
        ),
        (
            (DIRECTOR, str(year % 100), "RK"),
            f"Ruben Kast be nominated for Best Director in {year}",
            f"Ruben Kast win Best Director in {year}",
            (6_100, 5_000),
            "culture",
            "nominated against won",
        ),
        (
            (WORLD, f"BRIDGE{year % 100}", "Y"),
            f"the Calder Bridge open before Mar 1, {year}",
            f"the Calder Bridge open by Dec 31, {year}",
            (4_200, 5_500),
            "world",
            "another deadline",
        ),
        (
            (GOVERNOR, f"OH{year % 100}P", "LF"),
            f"Lena Farrow win the Ohio governor primary in {year}",
            f"Lena Farrow win the Ohio governor election in {year}",
            (5_600, 4_700),
            "politics",
            "primary against general election",
        ),
        (
            (ECONOMY, f"GDP{start:%y}Q4", "Y"),
            f"US GDP growth exceed 2% in Q4 {start.year}",
            f"US GDP growth exceed 2% in Q1 {year}",
            (5_900, 5_000),
            "economics",
            "another quarter",
        ),
        (
            (ECONOMY, f"CUTS{year % 100}", "3"),
            f"the Fed cut rates 3 times in {year}",
            f"the Fed cut rates at least 3 times in {year}",
            (2_400, 3_500),
            "economics",
            "exactly against at least",
        ),
    ):
        titles = (f"Will {ours}?", f"Will {theirs}?")
        fees = _CHARGED[category]
        yield _plain("look_alike", place, titles, end, fairs_e4=fairs_e4, fees=fees, why_different=why)


def _plain(
    kind: MappingKind,
    place: tuple[KalshiSeries, str, str],
    titles: tuple[str, str],
    ends: datetime,
    *,
    fairs_e4: tuple[int, int],
    fees: tuple[str, Fraction],
    why_different: str = "",
) -> Topic:
    """Return a topic with an event of its own on each venue, told by its two titles.

    ``place`` is Kalshi's series, event and market suffix.
    """
    (at, event, suffix), (ours, theirs) = place, titles
    slug = "".join(char for char in theirs.lower().replace(" ", "-") if char.isalnum() or char == "-")
    return Topic(
        kind=kind,
        kalshi=KalshiSide(
            series=at,
            event=event,
            event_title=ours,
            suffix=suffix,
            title=ours,
            label="Yes",
            rules=f"Yes when the answer to this is yes on the evidence of the named source: {ours}",
        ),
        polymarket=PolymarketSide(
            event_slug=slug,
            event_title=theirs,
            slug=slug,
            question=theirs,
            label="",
            description=f'"Yes" if credible reporting answers this with yes: {theirs}',
            fee_type=fees[0],
            fee_rate=fees[1],
            tags=("other",),
        ),
        fair_e4=fairs_e4[0],
        other_fair_e4=fairs_e4[1],
        grid="cent",
        ends=ends,
        why_different=why_different,
    )
