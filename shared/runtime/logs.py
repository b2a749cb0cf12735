"""Logs: one JSON object per line on stderr, an event name and facts with units, nothing secret.

Text that came from a venue cannot start a new line or colour a terminal, because it is JSON text by then.
"""

import logging
import sys
from typing import Any

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
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
        return _ENCODER.encode(facts).decode()


def log_to_stderr(service: str, *, level: str = "INFO") -> None:
    """Send every log line of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(handlers=[handler], level=level, force=True)
