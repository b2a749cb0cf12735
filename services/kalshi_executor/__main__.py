"""``python -m services.kalshi_executor`` runs the service."""

from services.kalshi_executor.main import cli

if __name__ == "__main__":
    cli()
