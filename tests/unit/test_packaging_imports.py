"""The import contracts of pyproject.toml hold for rooms that do not exist yet, and every one of them can break."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [
    "services/cli",
    "services/kalshi_feed",
    "services/matcher",
    "services/venue_sim",
    "shared/contracts",
    "shared/domain",
    "shared/io",
    "shared/runtime",
    "shared/testing",
    "shared/venues/kalshi",
    "shared/venues/polymarket",
]
BREACHES = {
    "Services stand on shared": ("shared/io", "import services.matcher"),
    "Imports inside shared point inwards": ("shared/io", "import shared.runtime"),
    "Services never import each other; the command line alone stands above them": (
        "services/kalshi_feed",
        "import services.matcher",
    ),
    "The two venues never import each other": ("shared/venues/kalshi", "import shared.venues.polymarket"),
    "The simulator's truth shares nothing with the detector and the venue sessions": (
        "services/venue_sim",
        "from shared.domain.arbitrage import walk",
    ),
    "The domain is pure: no I/O, no clock, no randomness, no event loop": ("shared/domain", "import time"),
    "A venue's conversation is fed bytes: no I/O, no clock, no randomness, no event loop": (
        "shared/venues/kalshi",
        "from os import environ",
    ),
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house with this project's contracts and rooms, and not a line of code in them."""
    for room in ROOMS:
        folder = tmp_path / room
        folder.mkdir(parents=True)
        for parent in (folder, *folder.parents):
            if parent == tmp_path:
                break
            (parent / "__init__.py").touch()
    (tmp_path / "shared/domain/arbitrage.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def verdicts(house: Path) -> dict[str, str]:
    """Return contract name -> KEPT or BROKEN, as import-linter sees the house."""
    ended = subprocess.run(
        [sys.executable, "-c", "import importlinter.cli as c; c.lint_imports_command()", "--no-logo", "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": "", "COLUMNS": "400", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b.*$", ended.stdout, re.MULTILINE))
    assert found, ended.stdout + ended.stderr
    return found


def test_every_contract_holds_in_an_empty_house(house: Path) -> None:
    assert verdicts(house) == dict.fromkeys(BREACHES, "KEPT")


def test_every_contract_breaks_when_its_rule_does(house: Path) -> None:
    for room, line in BREACHES.values():
        with (house / room / "breach.py").open("a") as file:
            file.write(line + "\n")
    assert verdicts(house) == dict.fromkeys(BREACHES, "BROKEN")


def test_a_new_service_or_shared_folder_has_to_be_declared(house: Path) -> None:
    for room in ("services/undeclared", "shared/undeclared"):
        (house / room).mkdir()
        (house / room / "__init__.py").touch()
    broken = {name for name, verdict in verdicts(house).items() if verdict == "BROKEN"}
    assert broken == {
        "Imports inside shared point inwards",
        "Services never import each other; the command line alone stands above them",
    }


def test_this_file_knows_every_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts] == list(BREACHES)
