"""Which pairs need a second reader: kinds of question that the two venues settle by different sources or clauses.

The kind is read from tickers, slugs and labels, so that it does not hang on the category that a row claims. A kind
that is seen where there is none costs a second look; one that is missed could cost a stake. Which sources and clauses
differ, per kind: comparison of both venues' rules, 2025 to 2026 (weather stations and reports, index against candle,
a death clause that pays the last price, a party against its candidate).
"""

import re
from collections.abc import Iterable

WEATHER = "weather"
CRYPTO_PRICE = "crypto_price"
LEAVES_OFFICE = "leaves_office"
PARTY_VS_PERSON = "party_vs_person"

TWO_READERS = frozenset({WEATHER, CRYPTO_PRICE, LEAVES_OFFICE, PARTY_VS_PERSON})
"""Categories where one reader is not enough."""

_COINS = (
    "btc|bitcoin|eth|ether|ethereum|sol|solana|xrp|ripple|doge|dogecoin|bnb|ada|cardano|avax|ltc|litecoin|shib|hype"
)
_SERIES = {
    WEATHER: re.compile(r"(?:KX)?(?:HIGH|LOW|RAIN|SNOW|TEMP|HURR|TORNADO|WIND|HEAT)[A-Z0-9]*"),
    CRYPTO_PRICE: re.compile(rf"(?:KX)?(?:{_COINS})[A-Z0-9]*", re.IGNORECASE),
    LEAVES_OFFICE: re.compile(r"(?:KX)?[A-Z0-9]{2,}OUT"),
}
_TEXT = {
    WEATHER: re.compile(
        r"\b(?:temperatures?|rainfall|snowfall|precipitation|hurricanes?|tornado(?:es)?|inches of (?:rain|snow)|"
        r"rain in|snow in|hottest|coldest)\b"
    ),
    CRYPTO_PRICE: re.compile(
        rf"\b(?:{_COINS})\b(?=.*(?:\b(?:price|above|below|over|under|reach|reaches|hit|hits|dip|close|closes|between|"
        r"up or down|updown|all time high|ath)\b|\$[0-9]))"
    ),
    LEAVES_OFFICE: re.compile(
        r"\b(?:out (?:as|by|before|in|of office)|leaves? office|leaves? (?:the )?(?:white house|cabinet)|resigns?|"
        r"steps? down|removed (?:as|from)|ousted|impeached|fired as|no longer)\b"
    ),
}
_PARTY = (
    r"(?:democrat(?:ic|ics|s)?|republicans?|gop|labour|conservatives?|tor(?:y|ies)|liberals?|libertarians?|greens?|"
    r"independents?|reform uk|ndp|bloc qu[eé]b[eé]cois|cdu(?:/csu)?|spd|afd|fdp)"
)
_PARTY_LABEL = re.compile(rf"(?:the )?{_PARTY}(?: (?:party|candidate|nominee|win|wins))*")
_PARTY_ASKED = re.compile(
    rf"\bwill (?:an? |the )?{_PARTY}\b(?! (?:presidential|nominee|nomination|primary|candidate for))"
)


def two_reader_kind(
    *, series: str, labels: Iterable[str], polymarket_labels: Iterable[str], texts: Iterable[str]
) -> str:
    """Return the kind of question that needs two readers, empty for any other.

    ``labels`` are what Kalshi's YES is called, ``polymarket_labels`` the outcomes; ``texts`` are titles and slugs,
    Polymarket's last.
    """
    said = [_plain(text) for text in texts]
    for kind, pattern in _SERIES.items():
        if pattern.fullmatch(series) or any(_TEXT[kind].search(text) for text in said):
            return kind
    return PARTY_VS_PERSON if _mixes_party_and_person(labels, polymarket_labels, said) else ""


def _mixes_party_and_person(labels: Iterable[str], polymarket_labels: Iterable[str], said: list[str]) -> bool:
    """Whether one venue asks about a party where the other asks about a person."""
    ours = any(_PARTY_LABEL.fullmatch(_plain(label)) for label in labels)
    named = [label for label in map(_plain, polymarket_labels) if label not in ("yes", "no")]
    if named:
        return ours != any(_PARTY_LABEL.fullmatch(label) for label in named)
    return bool(said) and ours != bool(_PARTY_ASKED.search(said[-1]))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[-_?!.,:;()\[\]]+", " ", text.lower()).split())
