"""Venue texts brought to one form: plain letters, tokens with their case noted, stems.

Nothing here knows what a word means; see vocabulary.py for that.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "\u00a0": " "})
_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "đ": "d", "ı": "i"})
_INITIALS = re.compile(r"\b([A-Za-z])\.(?=[A-Za-z]\b|[ ,;:?!)]|$)")
_DOTTED = re.compile(r"\b([A-Za-z])\.([A-Za-z])\b")
_ROMANS = {"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8", "IX": "9"}
_LONGEST_SHORT_FORM = 5
_FIRST_MARK = "\u0300"
ONE_FORM = {"mens": "men", "womens": "women", "a's": "athletics"}
"""Possessives that are also written without their apostrophe, and a nickname that is no possessive."""
_AMPERSAND = re.compile(r"(?<=\w)&(?=\w)")
_TOKEN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*[0-9]*|#?[0-9]+[A-Za-z]*")


class Token(NamedTuple):
    """One word of a text."""

    word: str
    """Lower case."""
    is_name: bool
    """Written with a capital letter."""
    is_short_form: bool = False
    """Up to five capital letters: ``UTC``, ``PSG``."""


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """Return the text without diacritics, typographic quotes, dotted initials and doubled spaces; case is kept."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text.translate(_QUOTES))
        text = without_marks(decomposed).translate(_LETTERS)
    if "." in text:
        text = _INITIALS.sub(r"\1", _DOTTED.sub(r"\1\2", text))
    if "&" in text:
        text = _AMPERSAND.sub("", text).replace("&", " and ")
    return " ".join(text.split())


def without_marks(decomposed: str) -> str:
    """Return a decomposed text without its combining marks, all of which come after the letters of Europe."""
    if max(decomposed, default="") < _FIRST_MARK:
        return decomposed
    return "".join([char for char in decomposed if char < _FIRST_MARK or not unicodedata.combining(char)])


def tokens(text: str) -> list[Token]:
    """Return the words of a plain text in order; a possessive ending is dropped, a hyphen parts words."""
    return [_token(word) for word in _TOKEN.findall(text)]


@lru_cache(maxsize=200_000)
def _token(word: str) -> Token:
    return Token(_bare(word), word[0].isupper(), word.isupper() and len(word) <= _LONGEST_SHORT_FORM)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return a word without its commonest English endings, so that ``releases`` and ``released`` are one."""
    if len(word) <= 4 or not word.isalpha():
        return word
    for ending, rest in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)] + rest
    return word.removesuffix("e")


_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ss", "ss"), ("us", "us"), ("is", "is"), ("ing", ""), ("ed", ""), ("es", ""),
            ("s", ""))  # fmt: skip


def _bare(word: str) -> str:
    if word in _ROMANS:
        return _ROMANS[word]
    lower = word.lower()
    if lower in ONE_FORM:
        return ONE_FORM[lower]
    if "'" in lower:
        lower = lower.removesuffix("'s").replace("'", "")
    return ONE_FORM.get(lower, lower)
