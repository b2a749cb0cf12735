"""Whose frame it is, and whether it is to be used: sids, numbers, and data that came before its acknowledgement.

Frames in order never come here, except once per frame of a channel without books. Kalshi API reference (WebSocket),
read 2026-11-21.
"""

from shared.venues.kalshi import schema
from shared.venues.kalshi.books import Step, Subscription
from shared.venues.kalshi.events import LinkUnusable
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL, LIFECYCLE_TYPES
from shared.venues.kalshi.schema import Delta, Envelope, Snapshot
from shared.venues.kalshi.subscriptions import Subscriptions

_STASH_FRAMES = 4_096


class Intake:
    """Sorts frames to the subscriptions of one connection. ``adopt`` takes any sid, because nobody can be asked."""

    def __init__(self, subscriptions: Subscriptions, *, adopt: bool) -> None:
        self._subs = subscriptions
        self._counts = subscriptions.counts
        self._adopt = adopt
        self._stash: list[tuple[bytes, int]] = []

    def forget(self) -> None:
        """Forget what was kept; another connection begins."""
        self._stash = []

    def subscription_for(self, message: Delta | Snapshot, frame: bytes, received_ts_ns: int) -> Subscription | None:
        """Return the frame's subscription when the frame is to be used, having dealt with its number."""
        sub = self._subs.by_sid.get(message.sid)
        if sub is None:
            if not self._adopt:
                self._unknown_sid(message.sid, frame, received_ts_ns)
                return None
            sub = self._subs.adopt(message.sid, schema.BOOK_CHANNEL, next_seq=message.seq)
        return sub if self.takes(sub, message.seq, frame) else None

    def takes(self, sub: Subscription, seq: int, frame: bytes) -> bool:
        """Take the number of a data frame; return whether the frame is to be used."""
        expected = sub.next_seq
        match sub.data_step(seq, frame):
            case Step.TAKE:
                return True
            case Step.GAP:
                self._subs.gap(sub, f"sid {sub.sid} went from seq {expected - 1} to {seq}")
                return True
            case Step.DUPLICATE:
                self._counts.refused["duplicate"] += 1
            case Step.LATE:
                self._counts.refused["late"] += 1
            case Step.BACKWARDS:
                self._counts.refused["backwards"] += 1
                reason = f"sid {sub.sid} went back from seq {expected - 1} to {seq}"
                self._subs.gap(sub, reason)
                self._subs.events.append(LinkUnusable(reason))
        return False

    def takes_of_channel(self, envelope: Envelope, frame: bytes) -> bool:
        """Take the number of a channel without books, if it has one; return whether the frame is to be used."""
        if envelope.sid is None or envelope.seq is None:
            return True
        sub = self._subs.by_sid.get(envelope.sid)
        if sub is None:
            channel = LIFECYCLE_CHANNEL if envelope.type in LIFECYCLE_TYPES else envelope.type
            sub = self._subs.adopt(envelope.sid, channel, next_seq=envelope.seq)
        if sub.channel == schema.BOOK_CHANNEL:
            self._subs.control_number(sub, envelope.seq)
            return False
        return self.takes(sub, envelope.seq, frame)

    def released(self) -> list[tuple[bytes, int]]:
        """Return the frames that waited for an acknowledgement, once none is due any more."""
        if not self._stash or self._subs.awaits_ack:
            return []
        stash, self._stash = self._stash, []
        return stash

    def _unknown_sid(self, sid: int, frame: bytes, received_ts_ns: int) -> None:
        """Keep data that came before its acknowledgement; too much of it is let go and found as a gap."""
        if sid in self._subs.retired:
            self._counts.refused["after unsubscribe"] += 1
        elif not self._subs.awaits_ack:
            self._counts.refused["unknown sid"] += 1
        elif len(self._stash) >= _STASH_FRAMES:
            self._counts.refused["too much before the acknowledgement"] += len(self._stash) + 1
            self._stash.clear()
        else:
            self._stash.append((frame, received_ts_ns))
