"""Alerts of one thing are one alert, and what the outbox sets aside is told by itself."""

from shared.contracts.alerts import OperationalAlert
from shared.contracts.streams import ALERTS
from shared.io.outbox import Identity, Outbox, SetAside
from shared.runtime.alarm import Alarm, operational_alert
from shared.testing.clock import FakeClock


def test_alerts_about_the_same_thing_are_the_same_and_others_are_told_apart_by_their_time() -> None:
    first = operational_alert("page", "intent.altered", "t", happened_ts_ns=1, about="i1")
    again = operational_alert("page", "intent.altered", "t", happened_ts_ns=2, about="i1")
    assert first.alert_id == again.alert_id == "intent.altered:i1"
    ids = {operational_alert("info", "x.y", "t", happened_ts_ns=at).alert_id for at in (1, 2)}
    assert ids == {"x.y:1", "x.y:2"}


def test_an_alarm_dates_what_it_tells_and_tells_what_was_set_aside() -> None:
    told: list[OperationalAlert] = []

    class Kept(Outbox):
        def put(self, stream: object, message: object, **_: object) -> object:  # type: ignore[override]
            assert stream is ALERTS
            assert isinstance(message, OperationalAlert)
            told.append(message)
            return message

    outbox, clock = Kept("redis://unused", Identity("test", "e1")), FakeClock()
    alarm = Alarm(outbox, clock)
    alarm.info("a.b", "A", "why")
    alarm.warn("a.c", "B")
    outbox.on_set_aside(SetAside(("arb:v1:pairs",), (b"{}",), "WRONGTYPE Operation against a key"))
    assert [(one.severity, one.code, one.happened_ts_ns) for one in told] == [
        ("info", "a.b", clock.now_ns()),
        ("warning", "a.c", clock.now_ns()),
        ("page", "outbox.refused", clock.now_ns()),
    ]
    assert told[0].detail == "why"
    assert "arb:v1:pairs" in told[2].title
    assert "WRONGTYPE" in told[2].detail
