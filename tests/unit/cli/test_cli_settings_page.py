"""The page of settings is made from the structures and says something about every one of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.main import RUNNABLE
from services.cli.settings_page import RENEW, SETTINGS, page

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = ROOT / "docs" / "settings.md"


def test_the_written_page_is_the_one_that_the_structures_make() -> None:
    assert WRITTEN.read_text() == page(SETTINGS), f"docs/settings.md is stale, run: {RENEW}"


def test_every_service_that_can_be_run_is_on_the_page() -> None:
    assert SETTINGS.keys() == set(RUNNABLE)


def test_the_command_that_renews_it_prints_it() -> None:
    module = RENEW.split()[2]
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == WRITTEN.read_text()


@pytest.mark.parametrize("line", [line for line in page(SETTINGS).splitlines() if line.startswith("| `")])
def test_a_setting_says_what_it_is_for(line: str) -> None:
    _, default, meaning = (cell.strip() for cell in line.strip("|").split("|"))
    assert default
    assert meaning.endswith(".")


def test_required_defaults_and_choices_are_told() -> None:
    lines = page(SETTINGS).splitlines()
    assert any(line.startswith("| `KALSHI_EXECUTOR_LEDGER_FILE` | **must be set** |") for line in lines)
    assert any(line.startswith("| `ARB_DETECTOR_DEBOUNCE_MS` | `50` |") for line in lines)
    assert any(line.startswith("| `KALSHI_ENV` | `demo` | `demo` or `prod`.") for line in lines)
