"""Names for episodes: ULIDs, which sort by the time at which they were made and tell it."""

from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LENGTH = 26


def new_id(now_ms: int, random_bits: Callable[[int], int]) -> str:
    """Return a ULID made at ``now_ms``; ``random_bits(n)`` gives n random bits."""
    value = now_ms << _RANDOM_BITS | random_bits(_RANDOM_BITS)
    return "".join(_ALPHABET[value >> 5 * place & 31] for place in reversed(range(_LENGTH)))


def made_ms(name: str) -> int:
    """Return when a ULID was made, in Unix milliseconds; ValueError when it is none."""
    if len(name) != _LENGTH:
        raise ValueError(f"{name!r} is no ULID")
    value = 0
    for letter in name:
        value = value << 5 | _ALPHABET.index(letter)
    return value >> _RANDOM_BITS
