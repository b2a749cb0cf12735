"""Where a message ends up: Slack's incoming webhook, or the log when there is none."""

import logging
from typing import Protocol

from shared.io.webhook import Webhook

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes one message."""

    async def post(self, text: str) -> None:
        """Deliver ``text``. Raises WebhookBusy, WebhookUnavailable or WebhookRefused."""
        ...


class SlackSink:
    """Posts to an incoming webhook, with everything that interprets text switched off."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def post(self, text: str) -> None:
        """Deliver ``text``."""
        await self._webhook.post(
            {"text": text, "mrkdwn": False, "parse": "none", "unfurl_links": False, "unfurl_media": False}
        )


class LogSink:
    """Writes messages to the log."""

    async def post(self, text: str) -> None:
        """Write ``text``."""
        log.warning("alert", extra={"text": text})
