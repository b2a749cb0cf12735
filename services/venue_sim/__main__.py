"""Run the simulator: ``python -m services.venue_sim``."""

from services.venue_sim.main import cli

if __name__ == "__main__":
    cli()
