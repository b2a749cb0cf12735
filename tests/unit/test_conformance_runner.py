"""Where a Python is missing, the runner of the venues' clients says so and ends well; their locks name no place."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "conformance"
LOCKS = sorted(FOLDER.glob("requirements-*.lock"))
PIN = re.compile(r"^\S+==\S+( ;.*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", re.MULTILINE)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_without_the_python_they_need_the_clients_are_skipped_aloud(tmp_path: Path) -> None:
    home = tmp_path / "tests/conformance"
    home.mkdir(parents=True)
    shutil.copy(FOLDER / "run.sh", home)
    shutil.copy(FOLDER / "requirements-kalshi.lock", home)
    ended = subprocess.run(
        ["sh", str(home / "run.sh"), "kalshi", "9.99", "run_kalshi_rest"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    [line] = ended.stderr.splitlines()
    assert line.startswith("conformance: SKIPPED run_kalshi_rest: Python 9.99 or newer was not found")
    assert not (tmp_path / ".venv-conformance-kalshi").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_everything_by_hash_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) == len(PIN.findall(text)) > 10
    assert re.findall(r"\w+://|^--?\w|find-links", text, re.MULTILINE) == []
    for wanted in lock.with_suffix(".in").read_text().splitlines():
        name = wanted.replace("_", "-")
        assert wanted.startswith("#") or any(line.startswith(name) for line in requirements), wanted


def test_there_is_a_lock_for_every_environment() -> None:
    assert {lock.stem for lock in LOCKS} == {
        "requirements-kalshi",
        "requirements-kalshi-sockets",
        "requirements-polymarket",
    }
