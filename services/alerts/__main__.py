"""``python -m services.alerts`` runs the service."""

from services.alerts.main import cli

if __name__ == "__main__":
    cli()
