"""``python -m services.kalshi_feed``: the service in the foreground."""

from services.kalshi_feed.main import cli

cli()
