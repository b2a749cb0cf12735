"""Telling people that the running system needs them: how an operational alert is numbered, dated and sent."""

from typing import Literal

from shared.contracts.alerts import OperationalAlert
from shared.contracts.streams import ALERTS
from shared.io.bus import Outbox, SetAside
from shared.runtime.clock import Clock

Severity = Literal["info", "warning", "page"]


def operational_alert(
    severity: Severity, code: str, title: str, detail: str = "", *, happened_ts_ns: int, about: str = ""
) -> OperationalAlert:
    """Return an alert. Two of one ``code`` are the same alert when they are ``about`` the same thing.

    Without ``about`` each is one of its own, told apart by its Unix nanoseconds.
    """
    return OperationalAlert(
        alert_id=f"{code}:{about or happened_ts_ns}",
        severity=severity,
        code=code,
        title=title,
        detail=detail,
        happened_ts_ns=happened_ts_ns,
    )


class Alarm:
    """One service's way to people: its own outbox, and the clock. It also tells what that outbox had to set aside."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        outbox.on_set_aside = self._set_aside

    def info(self, code: str, title: str, detail: str = "", *, about: str = "") -> None:
        """Tell what somebody may want to know."""
        self._tell("info", code, title, detail, about)

    def warn(self, code: str, title: str, detail: str = "", *, about: str = "") -> None:
        """Tell what somebody should look at."""
        self._tell("warning", code, title, detail, about)

    def page(self, code: str, title: str, detail: str = "", *, about: str = "") -> None:
        """Tell what somebody must look at; it is repeated until that has happened."""
        self._tell("page", code, title, detail, about)

    def _tell(self, severity: Severity, code: str, title: str, detail: str, about: str) -> None:
        now_ns = self._clock.now_ns()
        self._outbox.put(ALERTS, operational_alert(severity, code, title, detail, happened_ts_ns=now_ns, about=about))

    def _set_aside(self, refused: SetAside) -> None:
        streams = ", ".join(refused.streams)
        self.page(
            "outbox.refused",
            f"Redis refuses what is written to {streams}",
            f"{refused.reason}; such messages are set aside and readers miss them: look at the key's type and rights",
        )
