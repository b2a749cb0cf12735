"""The words that tell questions apart, and the words that say nothing. General English and the venues' own terms.

Kalshi writes around league names ("Pro Basketball Finals", "Men's World Cup", "March Madness"); both venues' ways of
saying a thing are brought to one word here, before anything is compared. Tables cover whole lists, never one listing.
"""

from services.matcher.banks import BANK_NAMES
from services.matcher.places import COUNTRY_NAMES, STATE_NAMES
from services.matcher.text import ONE_FORM, stem

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

_PHRASES = """
federal bureau of investigation = fbi
central intelligence agency = cia
environmental protection agency = epa
food and drug administration = fda
securities and exchange commission = sec
department of defense, department of war = dod
department of justice = doj
department of homeland security = dhs
health and human services = hhs
director of national intelligence = dni
attorney general = attorneygeneral
secretary of state = secstate
supreme court = scotus
state of the union, state of the union address, state of the union speech, sotu address = sotu
presidential inauguration, inauguration day, inauguration ceremony = inauguration
european union = eu
united nations = un
consumer price index, inflation rate = cpi
inflation = cpi
gross domestic product = gdp
unemployment rate = unemployment
nonfarm payrolls, non farm payrolls, jobs added = payrolls
annual inflation, annual inflation rate, yearly inflation = cpi yoy
monthly inflation, monthly inflation rate = cpi mom
year over year, year on year, yoy = yoy
month over month, month on month, mom = mom
interest rates, interest rate, federal funds rate, fed funds rate, target rate = rate
federal election, federal elections = election
democratic party, democratic candidate, democrat party, democrats, democrat, dems, dem = democratic
republican party, republican candidate, republicans, gop = republican
liberals, liberal party = liberal
conservatives, conservative party, tories, tory = conservative
greens, green party, the greens = green
labour party, labor party = labour
libertarians, libertarian party = libertarian
social democrats, social democratic party = socialdemocratic
national league, national league pennant, nl pennant = nl
american league, american league pennant, al pennant = al
prime minister, prime ministership, prime ministry = pm
vice president, vice presidential, vice presidency, vp = #vice
supreme leader = supremeleader
head of state = headofstate
presidency, presidential = president
governorship, gubernatorial, governors = governor
senatorial, senators, senator = senate
mayoral, mayors, mayoralty = mayor
speakership = speaker
house of representatives, us house of representatives, house race, house seat, us house = house
senate race, senate seat, us senate = senate
governor race, governors race, gubernatorial race = governor
mayoral race, mayors race = mayor
white house = whitehouse
new york city = nyc
washington dc, district of columbia = washingtondc
los angeles = losangeles
san francisco = sanfrancisco
bitcoin, xbt = btc
ethereum, ether = eth
solana = sol
dogecoin = doge
ripple = xrp
ai model, llm, large language model, language model = aimodel
initial public offering = @ipo
go public, goes public, going public = @ipo
ipo, ipos = @ipo
academy awards, academy award, oscars, oscar = oscars
golden globes, golden globe, golden globe awards, golden globe award = goldenglobe
grammys, grammy awards, grammy award = grammy
emmys, emmy awards, emmy award, primetime emmy = emmy
tonys, tony awards, tony award = tony
best motion picture, best picture = bestpicture
critics choice awards, critics choice award, critics choice = criticschoice
crunchyroll anime awards, crunchyroll anime award, crunchyroll awards, anime awards = crunchyroll
bafta, baftas, bafta awards, bafta film awards = bafta
sag awards, screen actors guild awards, screen actors guild award, actor awards = sagawards
video music awards, mtv video music awards, mtv vmas, vmas = vmas
american music awards, amas = amas
country music association awards, cma awards, cmas = cmas
game awards, game award = gameawards
espys, espy awards = espy
game of the year, goty = gameoftheyear
person of the year = personoftheyear
most valuable player = mvp
rookie of the year = rookieoftheyear
defensive player of the year, dpoy = dpoy
cy young award = cy young
ballon dor, ballon d or = ballondor
grand prix, gp = grandprix
formula one, formula 1 = f1
champions league, ucl = championsleague
europa league, uel = europaleague
conference league, uecl = conferenceleague
fifa world cup, mens world cup, world cup = worldcup
womens world cup = women worldcup @women
premier league, english premier league, epl = premierleague
la liga = laliga
serie a = seriea
serie b = serieb
ligue 1 = ligue1
liga 1 = liga1
liga mx = ligamx
super lig = superlig
j1 league, j league = jleague
k league, k league 1 = kleague
fa cup = facup
copa del rey = copadelrey
dfb pokal = dfbpokal
coppa italia = coppaitalia
copa libertadores, libertadores = libertadores
copa sudamericana, sudamericana = sudamericana
ncaa tournament, ncaa mens tournament, mens college basketball national championship = marchmadness
mens college basketball championship, college basketball national championship = marchmadness
college basketball championship, ncaa basketball championship, mens ncaa tournament, march madness = marchmadness
ncaa mens basketball tournament, mens march madness = marchmadness
womens college basketball championship, womens ncaa tournament, womens march madness = women marchmadness @women
college football playoff national championship, college football national championship = cfp
cfp national championship, cfp championship = cfp
college football playoff = cfp
super bowl, pro football championship, pro football champion, pro football finals = superbowl
nfl championship, nfl champion, nfl league championship, nfl title = superbowl
pro basketball finals, pro basketball championship, pro basketball champion, nba finals, nba championship = nba
nba champion, nba title, nba league championship = nba
pro baseball championship, pro baseball champion, world series = worldseries
mlb championship, mlb champion, mlb league championship, mlb title = worldseries
stanley cup, stanley cup finals, stanley cup final, pro hockey championship, pro hockey champion = stanleycup
nhl champion, nhl championship, nhl league championship, nhl title = stanleycup
womens pro basketball finals, womens pro basketball championship, wnba finals, wnba championship = wnba @women
pro basketball = nba
pro football = nfl
pro baseball = mlb
pro hockey = nhl
womens pro basketball, wnba = wnba @women
nba finals mvp, pro basketball finals mvp = nba finalsmvp
finals mvp = finalsmvp
all star game = allstar
championship series, league championship series = champion
rotten tomatoes, tomatometer = rottentomatoes
sprint, sprint race = @sprint
pole position, pole = @pole
fastest lap = @fastestlap
practice session = @practice
metacritic score, metascore = metacritic
box office, domestic box office, gross, grosses, grossing = boxoffice
opening weekend = openingweekend
all time high, ath = alltimehigh
market cap, market capitalization = marketcap
token launch, launch a token, issue a token, launches a token = token launch
airdrop, token airdrop, conduct an airdrop, perform an airdrop = airdrop
fully diluted valuation, fdv = fdv
government shutdown = shutdown
state of emergency = emergency
executive order = executiveorder
artificial general intelligence = agi
video game = videogame
number 1, number one, no 1 = #1
hashtag 1 = #1
control, controls, take control of, gain control of, win control of = control
middle east = middleeast
cease fire, ceasefires = ceasefire
air strike, airstrike, airstrikes, air strikes, strikes = strike
attend, attends, attending, be at, attendance at = @attend
perform at, performs at, performing at, perform, performs = @perform
headline, headlines, headlining, headliner = @headline
announce, announces, announced, announcing, announcement = @announce
say, says, said, mention, mentions, mentioned = @mention
run for, runs for, running for, candidacy, declare candidacy = @run
out as, leave, leaves, leaving, resign, resigns, resigned, resignation, ousted, removed, step down = @leave
steps down, stepping down, leave office, fired, cease to be, departure, depart, departs, out by, out before = @leave
impeach, impeached, impeachment = impeach @impeach
arrested, arrest, arrests = arrest @arrest
charged, indicted, indict, indictment = indict @indict
pardon, pardons, pardoned = @pardon
nominate, nominates, nominated, appoint, appoints, appointed = @nominate
confirmed, confirm, confirms, confirmation = confirm
approval rating, approval, approve = approval @approval
vote share, percent of the vote, popular vote, share of the vote, of the vote, of vote = @vote_share
turnout, voter turnout = turnout @vote_share
seats, seat count = seat
at least = winner
least, fewest = #fewest
lose, loses, losing, lost = lose @lose
not, wont, no, fail to, fails to = @not
cabinet nominee, cabinet nominees, cabinet pick, cabinet picks = cabinet
trump nominee, trump nominees, trump pick, trump picks = trump
on the podium, podium finish, podium = #top3
achievement in = best
for ag, as ag = attorneygeneral
vote against, votes against, voting against, vote no on, oppose, opposes = vote @against
supporting = #supporting
deputy = #deputy
acting = #acting
interim = #interim
former = #former
second = #place2
third = #place3
fourth = #place4
fifth = #place5
second term = secondterm
third term = thirdterm
second amendment = secondamendment
second lady = secondlady
third party = thirdparty
be elected, is elected, get elected = winner
vote to confirm, votes to confirm, voting to confirm = vote
central bank, central banks = centralbank
margin of victory, winning margin, mov, win by, wins by = @margin
ballot = #ballot
shortlist, shortlisted, short list = #shortlist
nominee, nominees, nomination, nominations, primary, primaries, primary election = #nomination
first round, 1st round, round 1, round one = #first_round
runoff, run off, runoffs, second round, 2nd round, round 2, round two = #runoff
second place, runner up, runnerup, finish second, finishes second, second most, silver = #place2
third place, finish third, finishes third, third most, bronze = #place3
fourth place, finish fourth, finishes fourth, fourth most = #place4
come second, comes second, place second, places second, get second, gets second, finished second = #place2
come third, comes third, place third, places third, get third, gets third, finished third = #place3
come fourth, comes fourth, place fourth, places fourth, get fourth, gets fourth, finished fourth = #place4
last place, finish last = #last
quarterfinal, quarterfinals, quarter final, quarter finals, elite eight = #quarterfinal
last eight = #quarterfinal
semifinal, semifinals, semi final, semi finals, final four = #semifinal
sweet sixteen = #round16
reach the final, reach the finals, make the final, make the finals, advance to the final = #finalist
qualify for the final, advance to the finals, in the final, qualify for the finals = #finalist
championship, championships, champ, champions, finals = champion
golden boot, score the most goals, scores the most goals, top goalscorer, top goal scorer, top scorer = topscorer
playoff, playoffs, play offs, play off, postseason = #playoffs
relegated, relegation, relegate = #relegation
advance from the group stage, advance from the group, advance to the knockout stage = #advance knockout
advance to the knockout stages, advance to the knockout round, advance to the knockout rounds = #advance knockout
advance to the knockouts, qualify from the group, qualify from the group stage = #advance knockout
qualify for the knockout stage, qualify for the knockout stages, qualify for the knockout round = #advance knockout
reach the knockout stage, reach the knockout stages, make the knockout stage = #advance knockout
advance, advances, advancing, qualify, qualifies, qualifying, qualified, qualifier, qualifiers, move on = #advance
reach the, make it to = #advance
finish first, finishes first, finish 1st = win
regular season = #regular_season
mid season, midseason = #midseason
spread, handicap = @spread
o u, over under, total points, total goals, total runs, total games, total maps, total sets, total kills = @total
totals, total score = @total
both teams, btts = @both_score
first half, 1st half, halftime, half time, 1h = @half1
second half, 2nd half, 2h = @half2
corners, corner, cards = @corners
draw, tie, draws, tied = @draw
first quarter, second quarter, third quarter, fourth quarter, 1st quarter, 2nd quarter, 4th quarter = @quarter
rebounds, rebound = rebound @stat
assists, assist = assist @stat
touchdowns, touchdown = touchdown @stat
strikeouts, strikeout = strikeout @stat
home runs, home run, homers = homerun @stat
passing yards = passingyard @stat
receiving yards = receivingyard @stat
rushing yards = rushingyard @stat
total bases = totalbase @stat
three pointers, three pointers made = threepointer @stat
double doubles, double double = doubledouble @stat
triple doubles, triple double = tripledouble @stat
hit the most, record the most, have the most, get the most = lead
overtime, extra innings, extra time = @extra
cut, cuts, decrease, decreases, lower, lowers, reduce, reduces = @cut
hike, hikes, increase, increases, raise, raises, rise, rises = @hike
no change, maintain, maintains, unchanged, hold rates, holds rates, hold, holds, pause, pauses = @hold
bps, bp, basis points = bps
emergency cut, emergency rate cut, intermeeting = @emergency @cut
televote, televoting = @televote
jury vote, jury votes, jury winner, juries = @jury
ticket = @ticket
de facto = @de_facto
after the election, after the next election, after the general election, following the election = #after_election
after the elections, following the elections, following the next election = #after_election
part of the government, part of the next government, in the next government, in the government = @coalition
join the government, join the next government, part of the coalition, government coalition = @coalition
announced as = @announce
acquire, acquires, acquisition, acquired, buy, buys, purchase, purchases = @acquire
endorse, endorses, endorsed, endorsement = @endorse
visit, visits, visited, visiting = @visit
marry, marries, married, wedding = @marry
divorce, divorces, divorced = @divorce
die, dies, death, dead, killed = die @die
largest, biggest = largest
highest grossing, top grossing = highest grossing
womens singles, womens single = women @women
mens singles = men
womens, women, woman, ladies, female = women @women
u21, u19, u20, u23, youth, reserves, under 21 = @youth
"""


def _parse(table: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    phrases: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in table.strip().splitlines():
        said, _, meant = line.partition(" = ")
        for phrase in said.split(","):
            phrases[tuple(ONE_FORM.get(word, word) for word in phrase.split())] = tuple(meant.split())
    return phrases


PHRASES: dict[tuple[str, ...], tuple[str, ...]] = {
    **{tuple(name.split()): (word,) for name, word in (COUNTRY_NAMES | STATE_NAMES).items()},
    **{tuple(name.split()): (bank,) for name, bank in BANK_NAMES.items()},
    **_parse(_PHRASES),
}
"""Ways of saying the same thing, brought to one; ``@`` opens a market type and ``#`` a stage, which are no words."""
ONE_WORD = {
    phrase: meant[0]
    for phrase, meant in PHRASES.items()
    if len(meant) == 1 and meant[0][0] not in "@#" and phrase != meant
}
"""The phrases that stand for one word."""

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
