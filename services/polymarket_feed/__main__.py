"""``python -m services.polymarket_feed``: the service in the foreground."""

from services.polymarket_feed.main import cli

cli()
