"""Named switches that make the venues misbehave; both servers ask them at the moment it matters.

A one-time fault strikes a given number of times; a lasting one is on until it is switched off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FaultKind:
    """A fault that can be asked for."""

    name: str
    lasts: Literal["times", "while_on"]
    does: str


class UnknownFault(LookupError):
    """No fault has this name."""


class Faults:
    """The registry: which faults exist and which are armed."""

    def __init__(self) -> None:
        self._kinds: dict[str, FaultKind] = {}
        self._armed: dict[str, int] = {}
        self._watchers: list[Callable[[], None]] = []

    def declare(self, *kinds: FaultKind) -> None:
        """Add faults that somebody implements."""
        self._kinds |= {kind.name: kind for kind in kinds}

    def kinds(self) -> list[FaultKind]:
        """Return every fault that exists."""
        return list(self._kinds.values())

    def arm(self, name: str, times: int = 1) -> None:
        """Let a fault strike ``times`` times, or switch a lasting one on; 0 switches it off.

        Raises UnknownFault.
        """
        if name not in self._kinds:
            raise UnknownFault(name)
        self._armed[name] = times
        for watcher in self._watchers:
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` whenever a fault is armed or switched off."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call it no more."""
        self._watchers.remove(watcher)

    def active(self, name: str) -> bool:
        """Return whether a lasting fault is on."""
        return self._armed.get(name, 0) > 0

    def level(self, name: str) -> int:
        """Return the number a lasting fault was armed with, 0 while it is off."""
        return self._armed.get(name, 0)

    def take(self, name: str) -> bool:
        """Use up one strike of a fault; False when none is left."""
        left = self._armed.get(name, 0)
        if left > 0:
            self._armed[name] = left - 1
        return left > 0
