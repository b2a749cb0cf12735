"""The ``dutchbook`` command: starts services as processes, reads streams, offline tools."""
