"""Where alerts go, and which."""

from pathlib import Path

import msgspec

from shared.io.webhook import UrlRefused, check_webhook_url
from shared.runtime.crash import CrashAt
from shared.runtime.errors import SettingsRefused
from shared.runtime.settings import RedisUrl, read_secret_file

_URL_VARIABLE = "ALERTS_SLACK_WEBHOOK_URL_FILE"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from ``ALERTS_...`` unless a field names a shared variable."""

    redis_url: RedisUrl
    slack_webhook_url_file: Path | None = None
    """Holds the webhook's URL; mode 0600. Without it alerts are written to the log."""
    allow_local_sink: bool = False
    """Admits ``http://127.0.0.1`` in place of Slack, for rehearsals."""
    announce_close: bool = False
    """Whether the end of an episode is a message too."""
    crash_at: CrashAt = ""

    def webhook_url(self) -> str | None:
        """Return the webhook's address, None when there is none. Raises SettingsRefused, which does not show it."""
        if self.slack_webhook_url_file is None:
            return None
        secret = read_secret_file(self.slack_webhook_url_file, _URL_VARIABLE)
        url = secret.reveal().decode(errors="replace").strip()
        try:
            check_webhook_url(url, allow_local_sink=self.allow_local_sink)
        except UrlRefused as error:
            raise SettingsRefused(f"{_URL_VARIABLE}: the URL in {self.slack_webhook_url_file}: {error}") from None
        return url
