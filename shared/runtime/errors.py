"""The ways a service may end, one per decision of whoever started it."""


class StartRefused(Exception):
    """The service cannot run as things are; the message is one line that says what to do. Exit status 1."""

    exit_status = 1


class SettingsRefused(StartRefused):
    """The settings, or a file they name, are wrong. Exit status 2."""

    exit_status = 2


class Halted(StartRefused):
    """Risk rules or a halt forbid running. Exit status 3."""

    exit_status = 3
