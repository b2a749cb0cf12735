"""Where a crash of the detector would hurt most; ``DUTCHBOOK_CRASH_AT`` names one to rehearse it."""

from enum import StrEnum


class CrashPoint(StrEnum):
    """Around the one write that opens an episode: stream, saved state and intent change together or not at all."""

    WRITTEN = "D03"
    """Redis has confirmed it."""
    UNWRITTEN = "D04"
    """Decided, and not yet written."""
