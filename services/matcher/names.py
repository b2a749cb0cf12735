"""Whether a text names somebody: whole words, near spellings, acronyms and the codes that end Kalshi's tickers."""

from collections.abc import Collection, Iterable, Sequence

from rapidfuzz import fuzz

from services.matcher.places import EXACT_WORDS

LIKE_WORD = 85
LEAST_LETTERS = 5
_MOST_APART = 2


def is_among(word: str, words: Collection[str]) -> bool:
    """Whether a word is one of ``words``, or spelled nearly as one of them (Eizenkot, Eisenkot)."""
    if word in words:
        return True
    return (
        len(word) >= LEAST_LETTERS
        and word not in EXACT_WORDS
        and any(
            other not in EXACT_WORDS
            and len(other) >= LEAST_LETTERS
            and abs(len(other) - len(word)) <= 2
            and fuzz.ratio(word, other) >= LIKE_WORD
            for other in words
        )
    )


def spelled_out(acronym: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the neighbouring words whose initials are the acronym; none when there are no such words."""
    length = len(acronym)
    for start in range(len(words) - length + 1):
        if all(words[start + at][0] == letter for at, letter in enumerate(acronym)):
            return tuple(words[start : start + length])
    return ()


def code_fits(code: str, words: Iterable[str]) -> bool:
    """Whether a ticker's code abbreviates a name: ``RJAC`` Rick Jackson, ``BLU`` Blue Box, ``TGWTN`` by initials.

    The code is cut into openings of words, in their order; between two of them one word may be left out.
    """
    wanted = code.lower()
    reached: dict[int, int] = {}
    """How much of the code is spelled -> the last word that spelled it."""
    for index, word in enumerate(words):
        now: dict[int, int] = {}
        for at in (0, *(at for at, last in reached.items() if index - last <= _MOST_APART)):
            length = 0
            while at + length < len(wanted) and length < len(word) and wanted[at + length] == word[length]:
                length += 1
                now[at + length] = index
        reached |= now
    return len(wanted) > 1 and len(wanted) in reached
