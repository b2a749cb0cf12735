"""``python -m services.arb_detector``."""

from services.arb_detector.main import cli

cli()
