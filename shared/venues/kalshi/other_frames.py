"""Frames that are no well-formed book data: answers to commands, other channels' messages, and rubbish.

Kalshi API reference (WebSocket), read 2026-11-21.
"""

from shared.venues.kalshi import schema
from shared.venues.kalshi.channels import CHANNEL_TYPES, read_channel
from shared.venues.kalshi.events import ChannelSaid
from shared.venues.kalshi.intake import Intake
from shared.venues.kalshi.lifecycle import LIFECYCLE_TYPES, read_lifecycle
from shared.venues.kalshi.replies import Replies
from shared.venues.kalshi.schema import Envelope
from shared.venues.kalshi.subscriptions import Subscriptions


class OtherFrames:
    """Sends each to whom it concerns, and counts what it is. ``reads_channels``: others than the lifecycle too."""

    def __init__(self, subscriptions: Subscriptions, intake: Intake, replies: Replies, *, reads_channels: bool) -> None:
        self._subs = subscriptions
        self._counts = subscriptions.counts
        self._events = subscriptions.events
        self._intake = intake
        self._replies = replies
        self._reads_channels = reads_channels

    def take(self, frame: bytes) -> None:
        """Take a frame that is not well-formed book data: a control reply, another channel's, or rubbish."""
        try:
            envelope = schema.ENVELOPE.decode(frame)
        except schema.UNREADABLE:
            self._unreadable("unreadable frame")
            return
        if envelope.type in schema.BOOK_TYPES:
            self._counts.other_frames[envelope.type] += 1
            self._malformed(envelope)
            return
        self._counts.saw(envelope.type)
        if envelope.type not in schema.CONTROL_TYPES:
            self._other_channel(envelope, frame)
            return
        try:
            message = schema.CONTROL_FRAME.decode(frame)
        except schema.UNREADABLE:
            self._unreadable(f"malformed {envelope.type}")
            return
        self._replies.control(message)

    def _other_channel(self, envelope: Envelope, frame: bytes) -> None:
        if not self._intake.takes_of_channel(envelope, frame):
            return
        try:
            if envelope.type in LIFECYCLE_TYPES:
                self._events.append(read_lifecycle(frame))
            elif envelope.type in CHANNEL_TYPES and self._reads_channels:
                self._events.append(ChannelSaid(read_channel(frame)))
        except ValueError:
            self._counts.refused[f"malformed {envelope.type}"] += 1

    def _malformed(self, envelope: Envelope) -> None:
        """Lose what a book frame without usable content was about: all books of its sid."""
        sub = self._subs.by_sid.get(envelope.sid) if envelope.sid is not None else None
        if sub is None or envelope.seq is None:
            self._unreadable(f"malformed {envelope.type}")
            return
        self._counts.refused[f"malformed {envelope.type}"] += 1
        if self._intake.takes(sub, envelope.seq, b""):
            self._subs.lose(sub, sub.markets.values(), f"malformed {envelope.type}")

    def _unreadable(self, kind: str) -> None:
        self._counts.refused[kind] += 1
        self._subs.lose_everything(kind)
