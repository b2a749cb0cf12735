"""A table of what was worked out before."""

from collections.abc import Callable, Hashable
from typing import TypeVar

_LIMIT = 65_536

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V]):
    """Values by their keys; one that is not there is made.

    A key for which ``make`` raises is never stored, and a table that holds 65,536 entries empties itself, so hostile
    input cannot grow it without bound.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        value = self._make(key)
        if len(self) >= _LIMIT:
            self.clear()
        self[key] = value
        return value
