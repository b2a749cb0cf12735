"""Where the ``dutchbook`` command begins: a Ctrl-C while the program is still loading is one line, not a traceback."""

import sys
from importlib import import_module


def main() -> None:
    """Load the command line and run it."""
    try:
        import_module("services.cli.main").main()
    except KeyboardInterrupt:
        sys.stderr.write("dutchbook: stopped before it had started\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
