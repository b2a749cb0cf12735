"""What the simulated world asks: league games, central banks, prices, elections, awards, and look-alikes.

All names of persons and films are invented, all sentences our own. A topic is one Kalshi market and one Polymarket
market side by side; a look-alike topic gives the two sides different propositions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random

from services.venue_sim.listing import DAY_MS, HOUR_MS, KalshiText, Lister, PolymarketText
from services.venue_sim.markets import (
    KalshiEvent,
    KalshiMarket,
    KalshiSeries,
    MappingKind,
    PolymarketEvent,
    PolymarketMarket,
    Quoted,
    SimQuestion,
)
from services.venue_sim.sports import LEAGUES, add_games, game_day, list_kalshi_side, list_polymarket_game


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything that is listed on both venues."""

    kalshi: tuple[KalshiMarket, ...]
    polymarket: tuple[PolymarketMarket, ...]
    questions: tuple[SimQuestion, ...]
    quoted: tuple[Quoted, ...]


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


def list_questions(random: Random, *, start_ms: int, count: int) -> Listing:
    """List about ``count`` questions: the standing topics, and league games for the rest."""
    lister = Lister(random, start_ms=start_ms)
    topics = list(_topics(datetime.fromtimestamp(start_ms // 1_000, UTC), random))
    games = max(1, (count - len(topics) - 1) // 2)
    add_games(lister, games)
    for topic in topics[: max(0, count - 2 * games)]:
        _add(lister, topic)
    if count > len(topics):
        _add_game_on_another_day(lister)
    return Listing(
        kalshi=tuple(lister.kalshi),
        polymarket=tuple(lister.polymarket),
        questions=tuple(lister.questions),
        quoted=tuple(lister.quoted),
    )


def _add(lister: Lister, topic: Topic) -> None:
    ends_ms = int(topic.ends.timestamp()) * 1_000
    proposition = lister.proposition(topic.fair_e4)
    theirs = proposition if topic.kind != "look_alike" else lister.proposition(topic.other_fair_e4)
    kalshi = lister.list_kalshi(
        _kalshi_event(lister, topic, ends_ms), _kalshi_text(topic, ends_ms), proposition, grid=topic.grid
    )
    side = topic.polymarket
    text = PolymarketText(
        slug=side.slug,
        question=side.question,
        description=side.description,
        group_item_title=side.label,
        end_ts_ms=ends_ms,
    )
    polymarket = lister.list_polymarket(
        _polymarket_event(lister, topic, ends_ms),
        text,
        theirs,
        grid=topic.grid,
        fee_type=side.fee_type,
        fee_rate=side.fee_rate,
    )
    lister.ask(kalshi, polymarket, topic.kind, why_different=topic.why_different)


def _kalshi_event(lister: Lister, topic: Topic, ends_ms: int) -> KalshiEvent:
    ticker = f"{topic.kalshi.series.ticker}-{topic.kalshi.event}"
    known = next((market.event for market in lister.kalshi if market.event.event_ticker == ticker), None)
    return known or KalshiEvent(
        event_ticker=ticker,
        series=topic.kalshi.series,
        title=topic.kalshi.event_title,
        sub_title=f"{topic.ends:%b %Y}",
        mutually_exclusive=topic.kalshi.floor_strike is None,
        strike_ts_ms=ends_ms,
    )


def _kalshi_text(topic: Topic, ends_ms: int) -> KalshiText:
    side = topic.kalshi
    return KalshiText(
        ticker=f"{side.series.ticker}-{side.event}-{side.suffix}",
        title=side.title,
        yes_sub_title=side.label,
        rules_primary=side.rules,
        rules_secondary="The exchange reads the named source on the day it is first published; revisions do not count.",
        strike_type="greater" if side.floor_strike is not None else "custom",
        floor_strike=side.floor_strike,
        custom_strike={} if side.floor_strike is not None else {"Answer": side.label},
        expected_expiration_ts_ms=ends_ms + HOUR_MS,
        close_ts_ms=ends_ms + 7 * DAY_MS,
    )


def _polymarket_event(lister: Lister, topic: Topic, ends_ms: int) -> PolymarketEvent:
    side = topic.polymarket
    known = next((market.event for market in lister.polymarket if market.event.slug == side.event_slug), None)
    return known or lister.polymarket_event(
        slug=side.event_slug,
        title=side.event_title,
        description=side.description,
        tags=side.tags,
        end_ts_ms=ends_ms,
        neg_risk=side.event_slug != side.slug,
    )


def _add_game_on_another_day(lister: Lister) -> None:
    """A look-alike: the same two teams on both venues, two days apart."""
    league = LEAGUES[0]
    away, home = lister.random.sample(league.teams, 2)
    early, late = game_day(lister.start_ms, 20), game_day(lister.start_ms, 22)
    kalshi = list_kalshi_side(lister, league, away, home, early, away, lister.proposition(4_400))
    polymarket = list_polymarket_game(lister, league, away, home, late, lister.proposition(5_100))
    lister.ask(kalshi, polymarket, "look_alike", why_different="the same teams two days later")


def _topics(start: datetime, random: Random) -> Iterator[Topic]:
    yield from _rate_decision(start)
    yield from _inflation(start)
    yield from _elections(start, random)
    yield from _awards(start, random)
    yield from _unmapped(start)
    yield from _look_alikes(start)


def _series(
    ticker: str, title: str, category: str, multiplier: Fraction = Fraction(1), fee_type: str = "quadratic"
) -> KalshiSeries:
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


_FED = _series("KXFEDDECISION", "Federal Reserve decision", "Economics")
_CPI = _series("KXCPIYOY", "US inflation, year on year", "Economics", Fraction(1, 2))
_GOVERNOR = _series("KXGOVPARTY", "Party of a governor", "Elections")
_NOMINEE = _series("KXPRESNOMD", "Democratic nominee for President", "Elections")
_PICTURE = _series("KXOSCARPIC", "Academy Award for Best Picture", "Entertainment", Fraction(0))
_DIRECTOR = _series("KXOSCARDIR", "Academy Award for Directing", "Entertainment")
_ECONOMY = _series("KXECONOMY", "State of the US economy", "Economics")
_WORLD = _series("KXWORLD", "World events", "World")

_ECONOMICS_RATE = Fraction(5, 100)
_POLITICS_RATE = Fraction(4, 100)
_CULTURE_RATE = Fraction(5, 100)
_FREE = Fraction(0)


def _month_after(start: datetime, months: int) -> datetime:
    index = start.year * 12 + start.month - 1 + months
    return datetime(index // 12, index % 12 + 1, 16, 19, tzinfo=UTC)


def _rate_decision(start: datetime) -> Iterator[Topic]:
    meeting = _month_after(start, 1)
    month = f"{meeting:%B %Y}"
    moves = (
        ("H0", "Fed maintains rate", "No change", "leave its target range where it is", 6_300, "cent"),
        ("C25", "Cut 25bps", "25 bps decrease", "lower its target range by 25 basis points", 2_900, "cent"),
        ("C26", "Cut >25bps", "50+ bps decrease", "lower its target range by more than 25 basis points", 160, "fine"),
        ("H25", "Hike 25bps", "25 bps increase", "raise its target range by 25 basis points", 520, "tapered"),
        ("H26", "Hike >25bps", "50+ bps increase", "raise its target range by more than 25 basis points", 45, "fine"),
    )
    for suffix, label, group, does, fair_e4, grid in moves:
        yield Topic(
            kind="curated",
            kalshi=KalshiSide(
                series=_FED,
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
                fee_rate=_ECONOMICS_RATE,
                tags=("economy", "fed-rates"),
            ),
            fair_e4=fair_e4,
            grid=grid,
            ends=meeting,
        )


def _inflation(start: datetime) -> Iterator[Topic]:
    release = _month_after(start, 1)
    about = _month_after(start, 0)
    for tenths, fair_e4 in ((27, 8_300), (28, 6_700), (29, 4_100), (30, 1_900)):
        yield _inflation_topic("curated", about, release, (tenths, tenths), (fair_e4, 0))


def _inflation_topic(
    kind: MappingKind, about: datetime, release: datetime, tenths: tuple[int, int], fairs_e4: tuple[int, int]
) -> Topic:
    ours, theirs = (f"{value // 10}.{value % 10}" for value in tenths)
    month = f"{about:%B %Y}"
    return Topic(
        kind=kind,
        kalshi=KalshiSide(
            series=_CPI,
            event=f"{about:%y%b}".upper(),
            event_title=f"CPI year over year in {month}?",
            suffix=f"T{ours}",
            title=f"Will the CPI rise more than {ours}% in the year ending {month}?",
            label=f"Above {ours}%",
            rules=f"Yes when the twelve-month change of the CPI-U for {month}, not seasonally adjusted, is above {ours}%.",
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
            fee_rate=_ECONOMICS_RATE,
            tags=("economy", "inflation"),
        ),
        fair_e4=fairs_e4[0],
        other_fair_e4=fairs_e4[1],
        grid="tapered",
        ends=release,
        why_different="" if tenths[0] == tenths[1] else "another threshold",
    )


def _elections(start: datetime, random: Random) -> Iterator[Topic]:
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
                series=_GOVERNOR,
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
                description=f'"Yes" if the candidate of the {party} party wins the {year} {state} election for governor.',
                fee_type="politics_fees",
                fee_rate=_POLITICS_RATE,
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
            series=_NOMINEE,
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
            fee_rate=_POLITICS_RATE,
            tags=("politics", "primaries"),
        ),
        fair_e4=fair_e4,
        grid=grid,
        ends=datetime(year, 8, 20, 4, tzinfo=UTC),
    )


def _awards(start: datetime, random: Random) -> Iterator[Topic]:
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
                series=_PICTURE,
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
                fee_rate=_CULTURE_RATE,
                tags=("culture", "oscars"),
            ),
            fair_e4=random.randint(700, 4_800),
            grid="cent",
            ends=datetime(year, 3, 15, 4, tzinfo=UTC),
        )


def _plain(
    kind: MappingKind,
    series: KalshiSeries,
    event: str,
    suffix: str,
    ours: str,
    theirs: str,
    ends: datetime,
    fairs_e4: tuple[int, int],
    fees: tuple[str, Fraction],
    why_different: str = "",
) -> Topic:
    """Return a topic with an event of its own on each venue, told by its two titles."""
    slug = "".join(char for char in theirs.lower().replace(" ", "-") if char.isalnum() or char == "-")
    return Topic(
        kind=kind,
        kalshi=KalshiSide(
            series=series,
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


def _unmapped(start: datetime) -> Iterator[Topic]:
    """True pairs that nobody has mapped."""
    year = start.year + 1
    end = datetime(year + 1, 1, 1, 5, tzinfo=UTC)
    economics, world = ("economics_fees", _ECONOMICS_RATE), ("geopolitics", _FREE)
    yield _plain(
        "review",
        _ECONOMY,
        f"REC{year % 100}",
        "Y",
        f"Will the US be in a recession in {year}?",
        f"US recession in {year}?",
        end,
        (2_600, 0),
        economics,
    )
    yield _plain(
        "review",
        _WORLD,
        f"SUMMIT{year % 100}",
        "Y",
        f"Will the Harrow Strait treaty be signed in {year}?",
        f"Harrow Strait treaty signed in {year}?",
        end,
        (3_700, 0),
        world,
    )
    yield _plain(
        "review",
        _ECONOMY,
        f"UNEMP{year % 100}",
        "Y",
        f"Will US unemployment reach 5% in {year}?",
        f"US unemployment hits 5% in {year}?",
        end,
        (3_300, 0),
        economics,
    )


def _look_alikes(start: datetime) -> Iterator[Topic]:
    """Two questions that read alike and settle differently."""
    year, cycle = start.year + 1, start.year // 4 * 4 + 4
    spring, end = datetime(year, 3, 1, 5, tzinfo=UTC), datetime(year + 1, 1, 1, 5, tzinfo=UTC)
    election = datetime(cycle, 11, 7, 12, tzinfo=UTC)
    politics, culture = ("politics_fees", _POLITICS_RATE), ("culture_fees", _CULTURE_RATE)
    economics, world = ("economics_fees", _ECONOMICS_RATE), ("geopolitics", _FREE)
    yield _inflation_topic("look_alike", _month_after(start, 1), _month_after(start, 2), (31, 32), (4_700, 3_800))
    yield _plain(
        "look_alike",
        _NOMINEE,
        f"PRES{cycle % 100}",
        "AV",
        f"Will Adela Voss be the {cycle} Democratic nominee?",
        f"Will Adela Voss win the {cycle} presidential election?",
        election,
        (3_900, 2_800),
        politics,
        "nominee against winner",
    )
    yield _plain(
        "look_alike",
        _DIRECTOR,
        str(year % 100),
        "RK",
        f"Will Ruben Kast be nominated for Best Director in {year}?",
        f"Will Ruben Kast win Best Director in {year}?",
        spring,
        (6_100, 5_000),
        culture,
        "nominated against won",
    )
    yield _plain(
        "look_alike",
        _WORLD,
        "BRIDGE",
        "Y",
        f"Will the Calder Bridge open before Mar 1, {year}?",
        f"Will the Calder Bridge open by Dec 31, {year}?",
        end,
        (4_200, 5_500),
        world,
        "another deadline",
    )
    yield _plain(
        "look_alike",
        _GOVERNOR,
        f"OH{year % 100}P",
        "LF",
        f"Will Lena Farrow win the Ohio governor primary in {year}?",
        f"Will Lena Farrow win the Ohio governor election in {year}?",
        end,
        (5_600, 4_700),
        politics,
        "primary against general election",
    )
    yield _plain(
        "look_alike",
        _ECONOMY,
        f"GDPQ4{start.year % 100}",
        "Y",
        f"Will US GDP growth exceed 2% in Q4 {start.year}?",
        f"Will US GDP growth exceed 2% in Q1 {year}?",
        end,
        (5_900, 5_000),
        economics,
        "another quarter",
    )
    yield _plain(
        "look_alike",
        _ECONOMY,
        f"CUTS{year % 100}",
        "3",
        f"Will the Fed cut rates 3 times in {year}?",
        f"Will the Fed cut rates at least 3 times in {year}?",
        end,
        (2_400, 3_500),
        economics,
        "exactly against at least",
    )
