"""Kalshi's own state, typed: whether it trades, as a whole and by shard, and at which hours.

Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from datetime import datetime

import msgspec

from shared.venues.kalshi.listings import decoded
from shared.venues.kalshi.rest import RestRequest


class ShardStatus(msgspec.Struct, frozen=True):
    """One exchange shard."""

    exchange_index: int
    exchange_active: bool
    trading_active: bool


class ExchangeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether orders can be placed (``trading_active``) or anything works at all (``exchange_active``)."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] = msgspec.field(default_factory=list)

    def untradable_shards(self) -> frozenset[int]:
        """Return the shards that take no orders by themselves; meaningless while the whole exchange is paused."""
        return frozenset(
            shard.exchange_index
            for shard in self.exchange_index_statuses
            if not (shard.exchange_active and shard.trading_active)
        )

    @property
    def trades(self) -> bool:
        """Whether the exchange as a whole takes orders."""
        return self.exchange_active and self.trading_active


class Hours(msgspec.Struct, frozen=True):
    """From and until, "HH:MM" Eastern Time."""

    open_time: str
    close_time: str


class WeeklySchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Regular hours that hold between two moments."""

    start_time: datetime
    end_time: datetime
    monday: list[Hours] = msgspec.field(default_factory=list)
    tuesday: list[Hours] = msgspec.field(default_factory=list)
    wednesday: list[Hours] = msgspec.field(default_factory=list)
    thursday: list[Hours] = msgspec.field(default_factory=list)
    friday: list[Hours] = msgspec.field(default_factory=list)
    saturday: list[Hours] = msgspec.field(default_factory=list)
    sunday: list[Hours] = msgspec.field(default_factory=list)


class Maintenance(msgspec.Struct, frozen=True):
    """A planned pause."""

    start_datetime: datetime
    end_datetime: datetime


class Schedule(msgspec.Struct, frozen=True):
    """When the exchange trades."""

    standard_hours: list[WeeklySchedule] = msgspec.field(default_factory=list)
    maintenance_windows: list[Maintenance] = msgspec.field(default_factory=list)


def schedule_request() -> RestRequest:
    """Ask when the exchange trades."""
    return RestRequest(path="/exchange/schedule")


def read_exchange_status(body: bytes) -> ExchangeStatus:
    """Read ``GET /exchange/status``; the same body comes with 500, 503 and 504. Raises BodyRefused."""
    return decoded(_STATUS, body, "exchange status")


def read_schedule(body: bytes) -> Schedule:
    """Read ``GET /exchange/schedule``. Raises BodyRefused."""
    return decoded(_SCHEDULE, body, "schedule").schedule


class _Schedule(msgspec.Struct):
    schedule: Schedule


_STATUS: msgspec.json.Decoder[ExchangeStatus] = msgspec.json.Decoder(ExchangeStatus)
_SCHEDULE: msgspec.json.Decoder[_Schedule] = msgspec.json.Decoder(_Schedule)
