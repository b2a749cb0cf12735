"""Names for episodes: ULIDs, which sort by the time at which they were made."""

from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TWO = [one + other for one in _ALPHABET for other in _ALPHABET]
_RANDOM_BITS = 80
_TWICE = range(120, -1, -10)


def new_id(now_ms: int, random_bits: Callable[[int], int]) -> str:
    """Return a ULID made at ``now_ms``; ``random_bits(n)`` gives n random bits."""
    value = now_ms << _RANDOM_BITS | random_bits(_RANDOM_BITS)
    return "".join([_TWO[value >> shift & 1023] for shift in _TWICE])
