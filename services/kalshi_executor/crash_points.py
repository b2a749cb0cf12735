"""Where a crash of the executor would hurt most; ``DUTCHBOOK_CRASH_AT`` names one to rehearse it."""

from enum import StrEnum


class CrashPoint(StrEnum):
    """Numbered as the steps are that they lie between; P0 and P4 lie outside of this process."""

    READ = "P1"
    """Read, nothing journaled."""
    JOURNALED = "P2"
    SENDING = "P3"
    """Marked as sending, nothing sent."""
    ANSWERED = "P5"
    """The answer is known, not journaled."""
    DONE = "P6"
    """Done and journaled, not published."""
    PUBLISHED = "P7"
    """Published, not marked as published."""
    UNACKED = "P8"
    """Everything is done but the acknowledgement."""
    RECOVERING = "P12"
    """In the middle of recovery."""
