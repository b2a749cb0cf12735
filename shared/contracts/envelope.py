"""What every message carries, so that a reader can count what trimming or a crash cost it."""

from typing import NamedTuple

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The common part of every stream message. New fields have defaults; unknown fields are ignored."""

    v: int = 1
    """Schema version; what an old reader could not read becomes a new stream beside the first."""
    src: str = ""
    """The service that wrote it."""
    epoch: str = ""
    """One value per start of the writing process, and per outbox where it has several."""
    pseq: int = 0
    """Counts up by one per message, per stream and epoch; a jump is a loss."""


class TextMessage(NamedTuple):
    """A message that was written as text by whoever knows a quicker way to it than building it: the same JSON."""

    tag: str
    """The message's ``type``."""
    body: str
    """Everything but the envelope, from the comma before it to the closing brace."""

    def stamped(self, src: str, epoch: str, pseq: int) -> bytes:
        """Return the whole message; ``src`` and ``epoch`` are JSON strings."""
        return f'{{"type":"{self.tag}","v":1,"src":{src},"epoch":{epoch},"pseq":{pseq}{self.body}'.encode()


class SequenceWatch:
    """Counts the messages that never arrived, from the jumps of ``pseq`` within one epoch."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], int] = {}
        self.lost = 0

    def is_repeat(self, stream: str, message: Message) -> bool:
        """Note one message; return whether it was seen before. What a jump skipped is added to ``lost``."""
        key = (stream, message.src, message.epoch)
        last = self._last.get(key)
        if last is not None and message.pseq <= last:
            return True
        self._last[key] = message.pseq
        self.lost += 0 if last is None else message.pseq - last - 1
        return False

    def forget(self, stream: str) -> None:
        """Count a stream anew: it is not read for a while, and what comes meanwhile is not a loss."""
        self._last = {key: last for key, last in self._last.items() if key[0] != stream}
