"""The words that tell questions apart, and the words that say nothing. General English and the venues' own terms.

They are looked for after ``phrases`` has brought both venues' ways of saying a thing to one word. Tables cover whole
lists, never one listing.
"""

from services.matcher.banks import BANK_NAMES
from services.matcher.text import stem

_FILLERS = """
et est edt pt pst utc am pm
a an and any at be been being by can could do does did done for from get gets getting got go goes going had has have
in into is it its of on or out than that the their them then there this those these to was were what when which who
whom whose why how will with would before after until during over under above below between more less end start
first day date market winner winners win wins won winning yes no new next least ever again also as if so such about
up down off upcoming following held take takes took place make makes made become becomes becoming named name time
occur occurs happen happens happened officially official exactly s t v per his her hers he she i we our they you
your my me times through receive receives finish finishes finished
"""
FILLERS = frozenset(_FILLERS.split())
"""Words that carry no meaning of their own; dates, numbers, stages and types are compared in their slots."""

_GENERIC = """
decision decisions numbers percentage points add
f1 ufc atp wta nascar lpga itf
clinch spot included list appearance marketcap runner shortlist companies countries teams
election elections race races seat office party candidate champion champions championship champ title trophy award
awards prize cup league season series tournament competition pro professional men man mens womens official us fifa
uefa ncaa division conference event game games match matches regular city state country world national nation
general annual year month week day meeting rate rates interest percent points point score number total count many
best top american company companies model price value level close high low united person people player players team
teams club pga tour mlb nba nfl nhl wnba mls college football basketball baseball hockey soccer cabinet secretary
minister release released launch published announce report confirmed member board governors system popular vote
votes voter political control parliament parliamentary legislative special edition results presidential anyone
unitedstates midterm midterms outright conducted successfully whole entire chair position rotten tomatoes metacritic
billboard spotify chart charts hits song album movie film show host streamed fc cf sc afc ac as sv ss cd ca de real
if fk bk sk ud rc agree agrees agreed centralbank voting many form forms gain gains appear appears domestic
"""
GENERIC = frozenset(_GENERIC.split())
"""Topic words that many questions share: they say little by themselves, whatever their case."""

_OFFICES = "president governor senate house mayor pm speaker vice chancellor headofstate supremeleader"
OFFICES = frozenset(map(stem, _OFFICES.split()))
"""Two questions that name different ones of these are never the same."""

_PARTIES = (
    "democratic republican libertarian labour conservative liberal green ndp reform socialdemocratic afd cdu spd fdp"
)
PARTIES = frozenset(map(stem, _PARTIES.split()))
"""Two questions that name different sets of these are never the same."""

BANKS = frozenset(BANK_NAMES.values())
RATE_WORDS = frozenset(map(stem, BANKS)) | frozenset(map(stem, ("rate", "bank", "centralbank")))
"""Only beside one of these does a cut, hike or hold move a rate."""
RATE_MOVES = frozenset({"cut", "hike", "hold"})

VENUE_TYPES = {
    "spreads": frozenset({"spread"}),
    "totals": frozenset({"total"}),
    "first_half_moneyline": frozenset({"half1"}),
    "first_half_spreads": frozenset({"half1", "spread"}),
    "first_half_totals": frozenset({"half1", "total"}),
    "points": frozenset({"stat"}),
    "rebounds": frozenset({"stat"}),
    "assists": frozenset({"stat"}),
}
"""Polymarket's sportsMarketType in the same classes."""

CRYPTO = frozenset(
    map(stem, {"btc", "eth", "sol", "xrp", "doge", "bnb", "ltc", "litecoin", "cardano", "ada", "avax", "shib"})
)
WEATHER = frozenset(
    map(stem, {"temp", "temperature", "rain", "snow", "snowfall", "rainfall", "precipitation", "hurricane"})
)
INDICES = frozenset(map(stem, {"nasdaq", "sp500", "dow", "gold", "silver", "oil", "wti", "brent"}))

_LEAGUE_WORDS = {
    "nba": "nba", "mlb": "mlb", "worldseries": "mlb", "nl": "mlb", "al": "mlb", "nfl": "nfl", "superbowl": "nfl",
    "afc": "nfl", "nfc": "nfl", "nhl": "nhl", "stanleycup": "nhl", "wnba": "wnba", "marchmadness": "college",
    "ncaa": "college", "cfp": "college", "ipl": "ipl", "premierleague": "soccer", "laliga": "soccer",
    "seriea": "soccer", "serieb": "soccer", "ligue1": "soccer", "bundesliga": "soccer", "championsleague": "soccer",
    "mls": "soccer", "europaleague": "soccer", "conferenceleague": "soccer", "eredivisie": "soccer",
    "liga1": "soccer", "ligamx": "soccer", "superlig": "soccer", "jleague": "soccer", "kleague": "soccer",
    "facup": "soccer", "copadelrey": "soccer", "dfbpokal": "soccer", "coppaitalia": "soccer", "brasileirao": "soccer",
    "libertadores": "soccer", "sudamericana": "soccer", "allsvenskan": "soccer", "eliteserien": "soccer",
    "ekstraklasa": "soccer",
}  # fmt: skip
LEAGUES = frozenset(_LEAGUE_WORDS)
LEAGUE_WORDS = {stem(word): league for word, league in _LEAGUE_WORDS.items()}
"""The league whose teams a text is about, by a word of its vocabulary."""

_IMPLIED = {
    "openai": "gpt chatgpt sora", "anthropic": "claude", "google": "gemini", "xai": "grok", "meta": "llama",
    "alibaba": "qwen", "moonshot": "kimi", "apple": "iphone ipad macbook siri", "tesla": "optimus robotaxi cybertruck",
    "spacex": "starship starlink", "microsoft": "xbox windows copilot", "sony": "playstation", "nintendo": "switch",
    "rockstar": "gta", "gameawards": "gameoftheyear", "trump": "inauguration",
    "biden": "inauguration", "boxoffice": "openingweekend", "token": "airdrop",
    "congress": "bill act reconciliation", "senate": "filibuster",
}  # fmt: skip
IMPLIED = {stem(word): frozenset(map(stem, others.split())) for word, others in _IMPLIED.items()}
"""What goes without saying beside any of these words: the maker of a product, who gives an award or passes a bill."""
_NO_SURNAMES = """
actor actress director score song screenplay feature series single duo performance video picture artist record
cinematography editing casting design writing documentary animated comedy drama musical award secretary minister
general court bank house party league cup bowl open prix trophy championship club university administration
"""
NO_SURNAMES = frozenset(map(stem, _NO_SURNAMES.split()))
"""What awards, offices and bodies are called: a word before one of these is no first name."""
PRESIDENTS = frozenset(map(stem, ("president", "trump", "biden")))
"""The President of the United States by name: Biden until January 2025, then Trump."""
BY_PRESIDENT = frozenset({"nominate", "pardon"})
"""What only the President does, so that a question need not say who."""
