"""Two rule texts side by side: which words differ, and lines of two columns that stay level with each other."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from typing import NamedTuple

_LEVEL_AGAIN = 4
"""Words in common after which both columns start a line together."""
_OPEN, _CLOSE = "[[", "]]"


class Word(NamedTuple):
    """A word of one text; ``differs`` when the other text does not have it at this place."""

    text: str
    differs: bool


class Stretch(NamedTuple):
    """What stands on the left beside what stands on the right."""

    left: tuple[Word, ...]
    right: tuple[Word, ...]


def compare_texts(left: str, right: str) -> list[Stretch]:
    """Return two texts word by word; upper case, white space and the marks at a word's ends make no difference."""
    ours, theirs = left.split(), right.split()
    matcher = SequenceMatcher(None, [_bare(word) for word in ours], [_bare(word) for word in theirs], autojunk=False)
    stretches: list[Stretch] = []
    ours_so_far: list[Word] = []
    theirs_so_far: list[Word] = []
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal" and i2 - i1 >= _LEVEL_AGAIN and (ours_so_far or theirs_so_far):
            stretches.append(Stretch(tuple(ours_so_far), tuple(theirs_so_far)))
            ours_so_far, theirs_so_far = [], []
        ours_so_far += [Word(word, kind != "equal") for word in ours[i1:i2]]
        theirs_so_far += [Word(word, kind != "equal") for word in theirs[j1:j2]]
    if ours_so_far or theirs_so_far:
        stretches.append(Stretch(tuple(ours_so_far), tuple(theirs_so_far)))
    return stretches


def differences(stretches: list[Stretch]) -> list[tuple[str, str]]:
    """Return the runs of words that differ: what the left says, and what the right says there."""
    found = []
    for stretch in stretches:
        pair = tuple(" ".join(word.text for word in side if word.differs) for side in stretch)
        if any(pair):
            found.append((pair[0], pair[1]))
    return found


def columns(stretches: list[Stretch], *, width: int) -> Iterator[tuple[str, str]]:
    """Yield lines of two columns, each at most ``width`` characters wide, with differing runs in double brackets."""
    for stretch in stretches:
        yield from zip_longest(*(_wrapped(_marked(side), width) for side in stretch), fillvalue="")


def _marked(words: tuple[Word, ...]) -> Iterator[str]:
    for differs, run in groupby(words, key=lambda word: word.differs):
        texts = [word.text for word in run]
        if differs:
            texts[0] = f"{_OPEN}{texts[0]}"
            texts[-1] = f"{texts[-1]}{_CLOSE}"
        yield from texts


def _wrapped(words: Iterator[str], width: int) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while len(line) > width:
            yield line[:width]
            line = line[width:]
    if line:
        yield line


def _bare(word: str) -> str:
    return word.casefold().strip(".,;:!?()\"'") or word
