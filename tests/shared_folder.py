"""Where the recorded venue data lies, for the tests that read it.

It is kept beside the checkout (``../shared``) and not in the project; ``DUTCHBOOK_SHARED`` names another place.
"""

import os
from pathlib import Path

import pytest


def shared_folder(part: str) -> Path:
    """Return the file or folder ``part`` of recorded data, or skip the calling test and say what is missing."""
    root = Path(os.environ.get("DUTCHBOOK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    found = root / part
    if not found.exists():
        pytest.skip(f"recorded data not found: {found} (set DUTCHBOOK_SHARED to the folder that holds it)")
    return found
