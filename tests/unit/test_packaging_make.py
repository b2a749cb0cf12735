"""`make setup` says in one line what it lacks, and `.ci/run` runs the README's test command."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the project's Makefile in a folder where nothing is set up, on a PATH with the system's tools alone."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    return subprocess.run(["make", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_without_a_python_that_is_new_enough_setup_says_so_and_builds_nothing(tmp_path: Path) -> None:
    ended = make(tmp_path, "setup", "PYTHON=no-such-python")
    assert ended.returncode != 0
    assert "Python 3.11 or newer was not found (looked for: no-such-python)" in ended.stderr
    assert not (tmp_path / ".venv").exists()


def test_what_setup_says_about_itself_stays_off_stdout_which_is_for_data() -> None:
    said = re.findall(r'echo "make setup: .*', MAKEFILE)
    assert said
    assert all(re.search(r'" >&2; ..?$', line) for line in said), said


def test_help_lists_every_target(tmp_path: Path) -> None:
    ended = make(tmp_path)
    [phony] = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^  make ([\w-]+)", ended.stdout, re.MULTILINE) == phony.split()


@pytest.mark.parametrize("target", ["demo", "test", "check", "fmt", "bench"])
def test_what_needs_the_environment_builds_it_first(target: str) -> None:
    assert re.search(rf"^{target}: setup ", MAKEFILE, re.MULTILINE)


def test_the_whole_check_ends_with_the_test_command_that_ci_runs_too() -> None:
    assert re.search(r"^check: .*\n(\t.*\n)*\t@\$\(MAKE\) --no-print-directory test$", MAKEFILE, re.MULTILINE)
    assert re.search(r"^make check$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
