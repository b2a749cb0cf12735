"""``python -m services.cli`` is the ``dutchbook`` command."""

from services.cli.main import main

main()
