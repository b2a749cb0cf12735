"""What an operator must know about the system itself."""

from typing import Literal

from shared.contracts.envelope import Message


class OperationalAlert(Message, frozen=True, kw_only=True, tag="operational_alert"):
    """Something about the running system. ``page`` repeats until a person has seen it."""

    alert_id: str
    severity: Literal["info", "warning", "page"]
    code: str
    """A dotted name that stays the same, such as ``feed.unauthorised``."""
    title: str
    detail: str = ""
    happened_ts_ns: int
