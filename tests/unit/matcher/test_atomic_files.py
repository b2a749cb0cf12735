"""A file is the old one or the new one, never half of either."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.matcher.atomic_files import write_atomically

WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
from services.matcher.atomic_files import write_atomically
for number in itertools.cycle(range(10)):
    write_atomically(Path(sys.argv[1]), str(number) * 200_000)
    print(number, flush=True)
"""


def test_the_new_text_takes_the_place_of_the_old_one_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "pairs" / "a.yaml"
    write_atomically(path, "one")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o664)
    write_atomically(path, "two é")
    assert path.read_text(encoding="utf-8") == "two é"
    assert path.stat().st_mode & 0o777 == 0o664
    assert [one.name for one in path.parent.iterdir()] == ["a.yaml"]


def test_a_write_that_fails_leaves_the_old_text_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yaml"
    write_atomically(path, "one")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "two")
    assert path.read_text() == "one"
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for writes in (1, 3, 8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITES_FOR_EVER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert writer.stdout is not None
        for _ in range(writes):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        text = path.read_text()
        assert len(text) == 200_000
        assert len(set(text)) == 1
