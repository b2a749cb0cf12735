"""``python -m services.matcher`` runs the matcher."""

from services.matcher.main import cli

cli()
