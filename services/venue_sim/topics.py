"""The standing topics that both venues ask about, and how each venue words them.

All names of persons and films are invented, all sentences our own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from random import Random

from services.venue_sim.markets import KalshiSeries, MappingKind


@dataclass(frozen=True, kw_only=True)
class KalshiSide:
    """How a topic reads on Kalshi."""

    series: KalshiSeries
    event: str
    event_title: str
    suffix: str
    title: str
    label: str
    rules: str
    floor_strike: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class PolymarketSide:
    """How a topic reads on Polymarket."""

    event_slug: str
    event_title: str
    slug: str
    question: str
    label: str
    description: str
    fee_type: str
    fee_rate: Fraction
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One question on both venues, or a look-alike."""

    kind: MappingKind
    kalshi: KalshiSide
    polymarket: PolymarketSide
    fair_e4: int
    grid: str
    ends: datetime
    why_different: str = ""
    other_fair_e4: int = 0
    """For a look-alike: what people think of Polymarket's question."""


def series(
    ticker: str, title: str, category: str, multiplier: Fraction = Fraction(1), fee_type: str = "quadratic"
) -> KalshiSeries:
    """Return a series with its fee terms."""
    return KalshiSeries(
        ticker=ticker,
        title=title,
        category=category,
        frequency="custom",
        tags=(category,),
        source_name="the announcing body",
        source_url="https://results.example/",
        fee_type=fee_type,
        fee_multiplier=multiplier,
    )


FED = series("KXFEDDECISION", "Federal Reserve decision", "Economics")
CPI = series("KXCPIYOY", "US inflation, year on year", "Economics", Fraction(1, 2))
GOVERNOR = series("KXGOVPARTY", "Party of a governor", "Elections")
NOMINEE = series("KXPRESNOMD", "Democratic nominee for President", "Elections")
PICTURE = series("KXOSCARPIC", "Academy Award for Best Picture", "Entertainment", Fraction(0))

ECONOMICS = Fraction(5, 100)
"""Polymarket's fee rate of a category."""
POLITICS = Fraction(4, 100)
CULTURE = Fraction(5, 100)


def month_after(start: datetime, months: int) -> datetime:
    """Return the day in the middle of a later month on which things are announced."""
    index = start.year * 12 + start.month - 1 + months
    return datetime(index // 12, index % 12 + 1, 16, 19, tzinfo=UTC)


def rate_decision(start: datetime) -> Iterator[Topic]:
    """Five answers to the coming rate decision, one of them too unlikely for any bid."""
    meeting = month_after(start, 1)
    month = f"{meeting:%B %Y}"
    moves = (
        ("H0", "Fed maintains rate", "No change", "leave its target range where it is", 6_300, "cent"),
        ("C25", "Cut 25bps", "25 bps decrease", "lower its target range by 25 basis points", 2_900, "cent"),
        ("C26", "Cut >25bps", "50+ bps decrease", "lower its target range by more than 25 basis points", 160, "fine"),
        ("H25", "Hike 25bps", "25 bps increase", "raise its target range by 25 basis points", 520, "tapered"),
        ("H26", "Hike >25bps", "50+ bps increase", "raise its target range by more than 25 basis points", 45, "cent"),
    )
    for suffix, label, group, does, fair_e4, grid in moves:
        yield Topic(
            kind="curated",
            kalshi=KalshiSide(
                series=FED,
                event=f"{meeting:%y%b}".upper(),
                event_title=f"Fed decision in {month}?",
                suffix=suffix,
                title=f"Will the Federal Reserve {does} at its {month} meeting?",
                label=label,
                rules=f"Yes when the statement after the {month} meeting says that the Fed will {does}.",
            ),
            polymarket=PolymarketSide(
                event_slug=f"fed-decision-in-{meeting:%B}-{meeting.year}".lower(),
                event_title=f"Fed decision in {month}?",
                slug=f"fed-{suffix.lower()}-after-{meeting:%B}-{meeting.year}-meeting".lower(),
                question=f"{group} in Fed interest rates after the {month} meeting?",
                label=group,
                description=f'Resolves to "Yes" if the Fed decides to {does} at the meeting of {month}.',
                fee_type="economics_fees",
                fee_rate=ECONOMICS,
                tags=("economy", "fed-rates"),
            ),
            fair_e4=fair_e4,
            grid=grid,
            ends=meeting,
        )


def inflation(start: datetime) -> Iterator[Topic]:
    """Four thresholds of this month's inflation."""
    release = month_after(start, 1)
    about = month_after(start, 0)
    for tenths, fair_e4 in ((27, 8_300), (28, 6_700), (29, 4_100), (30, 1_900)):
        yield inflation_topic("curated", about, release, (tenths, tenths), (fair_e4, 0))


def inflation_topic(
    kind: MappingKind, about: datetime, release: datetime, tenths: tuple[int, int], fairs_e4: tuple[int, int]
) -> Topic:
    """Return one threshold: ``tenths`` of a percent on Kalshi and on Polymarket, and what people think of each."""
    ours, theirs = (f"{value // 10}.{value % 10}" for value in tenths)
    month = f"{about:%B %Y}"
    return Topic(
        kind=kind,
        kalshi=KalshiSide(
            series=CPI,
            event=f"{about:%y%b}".upper(),
            event_title=f"CPI year over year in {month}?",
            suffix=f"T{ours}",
            title=f"Will the CPI rise more than {ours}% in the year ending {month}?",
            label=f"Above {ours}%",
            rules=f"Yes when the twelve-month change of the unadjusted CPI-U for {month} is above {ours}%.",
            floor_strike=Fraction(tenths[0], 10),
        ),
        polymarket=PolymarketSide(
            event_slug=f"us-annual-inflation-{about:%B}-{about.year}".lower(),
            event_title=f"US annual inflation in {month}",
            slug=f"us-annual-inflation-above-{theirs.replace('.', 'pt')}-in-{about:%B}-{about.year}".lower(),
            question=f"Will US annual inflation be above {theirs}% in {month}?",
            label=f">{theirs}%",
            description=f'"Yes" if the first published twelve-month CPI-U change for {month} is higher than {theirs}%.',
            fee_type="economics_fees",
            fee_rate=ECONOMICS,
            tags=("economy", "inflation"),
        ),
        fair_e4=fairs_e4[0],
        other_fair_e4=fairs_e4[1],
        grid="tapered",
        ends=release,
        why_different="" if tenths[0] == tenths[1] else "another threshold",
    )


def elections(start: datetime, random: Random) -> Iterator[Topic]:
    """Three governors and three who want to be nominated."""
    year = start.year + 1
    day = datetime(year, 11, 2, 12, tzinfo=UTC)
    for state, code, party, letter in (
        ("Kentucky", "KY", "Democratic", "D"),
        ("Louisiana", "LA", "Republican", "R"),
        ("Mississippi", "MS", "Republican", "R"),
    ):
        yield Topic(
            kind="curated",
            kalshi=KalshiSide(
                series=GOVERNOR,
                event=f"{code}{year % 100}",
                event_title=f"{state} governor election winner in {year}?",
                suffix=letter,
                title=f"Will the {party} party win the governorship of {state} in {year}?",
                label=f"{party} party",
                rules=f"Yes when the person sworn in after the {year} election in {state} ran for the {party} party.",
            ),
            polymarket=PolymarketSide(
                event_slug=f"{state}-governor-election-{year}-winner".lower(),
                event_title=f"{state} governor election winner",
                label=party,
                slug=f"will-the-{party}-candidate-win-the-{year}-{state}-governor-election".lower(),
                question=f"Will the {party} candidate win the {year} {state} governor election?",
                description=f'"Yes" if the {party} candidate wins the {year} {state} election for governor.',
                fee_type="politics_fees",
                fee_rate=POLITICS,
                tags=("politics", "elections"),
            ),
            fair_e4=random.randint(2_500, 8_500),
            grid="tapered",
            ends=day,
        )
    for person, fair_e4, grid in (
        ("Maren Holt", 3_150, "cent"),
        ("Tobias Erland", 1_240, "cent"),
        ("Ines Quarrie", 35, "fine"),
    ):
        yield _nomination(start, person, fair_e4, grid)


def _nomination(start: datetime, person: str, fair_e4: int, grid: str) -> Topic:
    year = start.year // 4 * 4 + 4
    initials = "".join(part[0] for part in person.split())
    dashed = person.lower().replace(" ", "-")
    return Topic(
        kind="curated",
        kalshi=KalshiSide(
            series=NOMINEE,
            event=str(year % 100),
            event_title=f"Democratic presidential nominee in {year}?",
            suffix=initials,
            title=f"Will {person} be the Democratic nominee for the presidency in {year}?",
            label=person,
            rules=f"Yes when the Democratic party formally nominates {person} for the {year} presidential election.",
        ),
        polymarket=PolymarketSide(
            event_slug=f"democratic-presidential-nominee-{year}",
            event_title=f"Democratic presidential nominee {year}",
            slug=f"will-{dashed}-win-the-{year}-democratic-presidential-nomination",
            question=f"Will {person} win the {year} Democratic presidential nomination?",
            label=person,
            description=f'"Yes" if {person} becomes the Democratic nominee for the {year} presidential election.',
            fee_type="politics_fees",
            fee_rate=POLITICS,
            tags=("politics", "primaries"),
        ),
        fair_e4=fair_e4,
        grid=grid,
        ends=datetime(year, 8, 20, 4, tzinfo=UTC),
    )


def awards(start: datetime, random: Random) -> Iterator[Topic]:
    """Five films for one award, in a series that Kalshi charges nothing for."""
    year = start.year + 1
    for film, code in (
        ("Glass Harbor", "GLA"),
        ("The Last Cartographer", "LAS"),
        ("Nine Winters", "NIN"),
        ("Saltmarsh", "SAL"),
        ("A Quiet Ledger", "QUI"),
    ):
        dashed = film.lower().replace(" ", "-")
        yield Topic(
            kind="curated",
            kalshi=KalshiSide(
                series=PICTURE,
                event=str(year % 100),
                event_title=f"Best Picture in {year}?",
                suffix=code,
                title=f"Will {film} win Best Picture at the {year} Academy Awards?",
                label=film,
                rules=f"Yes when {film} receives the Academy Award for Best Picture at the {year} ceremony.",
            ),
            polymarket=PolymarketSide(
                event_slug=f"oscars-{year}-best-picture-winner",
                event_title=f"Oscars {year}: Best Picture winner",
                slug=f"will-{dashed}-win-best-picture-at-the-{year}-oscars",
                question=f'Will "{film}" win Best Picture at the {year} Oscars?',
                label=film,
                description=f'"Yes" if {film} wins the Oscar for Best Picture at the ceremony of {year}.',
                fee_type="culture_fees",
                fee_rate=CULTURE,
                tags=("culture", "oscars"),
            ),
            fair_e4=random.randint(700, 4_800),
            grid="cent",
            ends=datetime(year, 3, 15, 4, tzinfo=UTC),
        )
