"""A log line is one JSON object on one line, whatever is in it, and shows no secret."""

import io
import logging
import sys
from typing import Any

import msgspec
import pytest

from shared.runtime.logs import JsonLines, log_to_stderr
from shared.runtime.settings import Secret

HOSTILE = [
    "two\nlines",
    "carriage\rreturn",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "C1: \x9b31m \x85 next line",
    "separators: \u2028 \u2029 \x0b \x0c \x1c \x1d \x1e",
    "turned round: \u202e \u2066 \u200f",
    'quotes " and \\ and \x00',
    "half a pair: \ud800",
]


def line(message: str, *args: object, exc_info: Any = None, **extra: object) -> str:
    record = logging.getLogger("test").makeRecord(
        "test", logging.WARNING, __file__, 1, message, args, exc_info, extra=extra or None
    )
    return JsonLines("kalshi_feed").format(record)


def facts(text: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def test_a_line_says_when_how_bad_who_what_and_the_facts() -> None:
    found = facts(line("link.lost", error="gone", wait_s=0.25, markets=("A", "B")))
    assert found.pop("ts_ms") > 1_700_000_000_000
    assert found == {
        "level": "warning",
        "service": "kalshi_feed",
        "event": "link.lost",
        "error": "gone",
        "wait_s": 0.25,
        "markets": ["A", "B"],
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_on_its_line_and_cannot_steer_a_terminal(text: str) -> None:
    for written in (line(text), line("event", title=text), line("event %s", text), line("event", nested={"a": [text]})):
        assert len(written.splitlines()) == 1
        assert written.isprintable()
        assert facts(written)["service"] == "kalshi_feed"


@pytest.mark.parametrize("text", [one for one in HOSTILE if one.isascii() or "\ud800" not in one])
def test_nothing_of_the_text_is_lost(text: str) -> None:
    assert facts(line("event", title=text))["title"] == text


def test_a_traceback_is_one_fact_of_the_line() -> None:
    try:
        raise ValueError("first\nsecond \x1b[31m")
    except ValueError:
        written = line("service.failed", exc_info=sys.exc_info())
    assert len(written.splitlines()) == 1
    assert "ValueError: first\nsecond" in facts(written)["traceback"]


def test_a_secret_is_not_shown_at_any_depth() -> None:
    secret = Secret(b"hunter2")
    written = line("key.loaded", key=secret, nested={"keys": [secret]}) + line("key %s", secret)
    assert "hunter2" not in written
    assert "aHVudGVyMg" not in written  # nor in base64
    assert written.count("Secret(…)") == 3


def test_a_thing_that_json_does_not_know_is_shown_as_itself() -> None:
    assert facts(line("event", error=OSError(2, "gone")))["error"] == "FileNotFoundError(2, 'gone')"


def test_logs_go_to_stderr_from_the_wanted_level_on(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    root.handlers = []  # basicConfig(force=True) would close those that pytest put there
    try:
        log_to_stderr("matcher", level="WARNING")
        logging.getLogger("x").info("quiet")
        logging.getLogger("x").warning("loud")
    finally:
        root.handlers = before
        root.setLevel(level)
    assert [facts(one)["event"] for one in stderr.getvalue().splitlines()] == ["loud"]
