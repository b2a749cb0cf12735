"""Logs: one JSON object per line on stderr, an event name and facts with units, nothing secret.

Text that came from a venue cannot start a new line or colour a terminal, because it is JSON text by then.
"""

import logging
import sys
from typing import Any

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_INVISIBLE = (*range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\u{code:04x}" for code in _INVISIBLE}
"""What JSON leaves as it is and a terminal acts on: C1 controls, line separators, changes of writing direction."""
_ENCODER = msgspec.json.Encoder(enc_hook=repr)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's time, level, event and extra fields as JSON."""
        facts: dict[str, Any] = {
            "ts_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
        }
        facts |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return _json(facts).translate(_ESCAPES)


def _json(facts: dict[str, Any]) -> str:
    try:
        return _ENCODER.encode(facts).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as in a file name that is not UTF-8
        shown = {name: value if isinstance(value, str | int) else repr(value) for name, value in facts.items()}
        return _ENCODER.encode({name: _writable(value) for name, value in shown.items()}).decode()


def _writable(value: str | int) -> str | int:
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def log_to_stderr(service: str, *, level: str = "INFO") -> None:
    """Send every log line of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(handlers=[handler], level=level, force=True)
