"""The words that tell questions apart, and the words that say nothing. General English and the venues' own terms."""

import re

MONTHS = {
    name[:length]: number
    for number, name in enumerate(
        ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december"), start=1,
    )
    for length in {3, 4, len(name)}
    if length in (3, len(name)) or name == "september"
}  # fmt: skip
"""Month by its name or usual short form, in lower case."""

_FILLERS = """
a an and any at be been being by do does did for from get gets go has have how in is it its of on or out than that the
their there this to was were what when which who whose will with would before after until during over under above below
between more less least most end start first day date market winner win wins won yes no not new next
"""
FILLERS = frozenset(_FILLERS.split())
"""Words that carry no meaning of their own; dates, numbers, stages and types are compared in their slots."""

PHRASES = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\b(?:federal reserve|fomc)\b", "fed"),
        (r"\b(?:democratic|democrats?|dems?) (?:party|candidate)\b", "democratic"),
        (r"\b(?:republican|republicans?|gop) (?:party|candidate)\b", "republican"),
        (r"\b(?:democrats?|dems?)\b", "democratic"),
        (r"\b(?:republicans|gop)\b", "republican"),
        (r"\bnational league\b", "nl"),
        (r"\bamerican league\b", "al"),
        (r"\bunited states\b|\bu\.s\.(?:a\.)?", "us"),
        (r"\bunited kingdom\b|\bu\.k\.", "uk"),
        (r"\bprime minister(?:ship)?\b", "pm"),
        (r"\bbitcoin\b", "btc"),
        (r"\bethereum\b", "eth"),
        (r"\b(?:academy awards?)\b", "oscars"),
        (r"\bpresidency\b|\bpresidential\b", "president"),
        (r"\bgovernorship\b|\bgubernatorial\b", "governor"),
        (r"\bsenatorial\b", "senate"),
        (r"\b(?:decrease|lower|cut)s?\b", "cut"),
        (r"\b(?:increase|raise|hike)s?\b", "hike"),
        (r"\b(?:cut|hike)( rates)? (?:by )?0 ?bps\b", r"hold\1"),
        (r"\bst\. ", "saint "),
    )
)
"""Ways of saying the same thing, brought to one."""

DISTRICT = re.compile(r"\b([A-Z]{2})-([0-9]{1,2})\b")

_MARKET_TYPES = {
    "spread": r"\bspread\b|\bwins? by\b|\bhandicap\b|\([+-][0-9]+\.5\)|\bmargin\b",
    "total": r"\bo/u\b|\btotal (?:points|goals|runs|games|maps|sets|kills|score)\b|\bcombined\b",
    "map": r"\bmaps? [0-9]|\bgame [0-9]\b",
    "half": r"\b(?:1st|2nd|first|second) half\b|\bhalftime\b|\b1h\b",
    "quarter": r"\b(?:1st|2nd|3rd|4th|first|second|third|fourth) (?:quarter|period|inning|set)\b",
    "corners": r"\bcorners?\b|\bcards?\b",
    "both_score": r"\bboth teams\b|\bbtts\b",
    "draw": r"\bdraw\b|\btie\b",
    "mention": r"\b(?:say|says|said|mention|mentions)\b",
    "stat": r"\b(?:rebounds?|assists?|touchdowns?|strikeouts?|home runs?|passing yards|receiving yards)\b",
    "award": r"\b(?:mvp|award|awards|rookie of the year|cy young|heisman|ballon)\b",
    "record": r"\brecord\b|\bwin totals?\b",
    "leave": r"\b(?:leaves?|out as|resigns?|removed|ousted|steps? down|fired|impeached)\b",
    "approval": r"\bapproval\b",
    "vote_share": r"\b(?:vote share|percent of|popular vote|turnout)\b",
    "seats": r"\bseats\b",
    "run": r"\bruns? for\b|\brunning for\b|\bcandidacy\b",
    "announce": r"\bannounced?s?\b",
    "ipo": r"\bipo\b|\bgo public\b",
    "cut": r"\bcut\b",
    "hike": r"\bhike\b",
    "hold": r"\bno change\b|\bmaintains? (?:its |the )?(?:target )?rates?\b|\bunchanged\b|\bhold(?: rates?)?\b",
    "appear": r"\b(?:attend|perform|headline|appear)s?\b",
}
MARKET_TYPES = {name: re.compile(pattern) for name, pattern in _MARKET_TYPES.items()}
"""What kind of market a text describes; a plain winner has none."""

VENUE_TYPES = {
    "spreads": frozenset({"spread"}),
    "totals": frozenset({"total"}),
    "first_half_moneyline": frozenset({"half"}),
    "first_half_spreads": frozenset({"half", "spread"}),
    "first_half_totals": frozenset({"half", "total"}),
    "points": frozenset({"stat"}),
    "rebounds": frozenset({"stat"}),
    "assists": frozenset({"stat"}),
}
"""Polymarket's sportsMarketType in the same classes."""

_STAGES = {
    "nomination": r"\b(?:nominee|nomination|nominated|nominates?|primary|primaries)\b",
    "first_round": r"\b(?:first|1st) round\b",
    "runoff": r"\brun-?off\b|\b(?:second|2nd) round\b",
    "second_place": r"\b(?:second|2nd) place\b|\brunner-?up\b|\bfinish(?:es)? (?:second|2nd)\b",
    "third_place": r"\b(?:third|3rd) place\b",
    "ballot": r"\bballot\b",
    "shortlist": r"\bshortlist(?:ed)?\b",
    "semifinal": r"\bsemi-?finals?\b",
    "final": r"\b(?<!semi-)(?<!semi)finals?\b",
    "playoffs": r"\bplay-?offs?\b|\bpostseason\b",
    "division": r"\bdivision\b",
    "conference": r"\bconference\b",
    "advance": r"\badvances?\b|\bqualif(?:y|ies)\b",
    "relegation": r"\brelegat(?:ed|ion)\b",
    "vice": r"\bvice president\b|\bvp\b",
    "governor": r"\bgovernor\b",
    "senate": r"\bsenat(?:e|or)\b",
    "house": r"\bhouse\b(?! of cards)",
    "mayor": r"\bmayor(?:al)?\b",
    "speaker": r"\bspeaker\b",
}
STAGES = {name: re.compile(pattern) for name, pattern in _STAGES.items()}
"""The round, prize or office that a question is about."""
