"""A service ends with a status that means something: 0 stopped, 1 failed, 2 settings, 3 refused by risk or halted.

Each case is a real process, for signals, logs and statuses belong to processes.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
import msgspec
from shared.runtime.errors import Halted, SettingsRefused, StartRefused
from shared.runtime.run import run

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    port: int = 1

async def fail(error):
    raise error

async def wait_for_ever(stopping):
    await asyncio.Event().wait()

async def main(settings, stopping):
{body}

sys.exit(run("test_service", Settings, main))
"""


def program(body: str) -> list[str]:
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return [sys.executable, "-c", PROGRAM.format(body=indented)]


def ended(body: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(body), cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def log_lines(stderr: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in stderr.splitlines()]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("raise SettingsRefused('PORT: taken')", 2),
        ("raise StartRefused('PORT: taken')", 1),
        ("raise Halted('PORT: taken')", 3),
        ("async with asyncio.TaskGroup() as tasks:\n    tasks.create_task(fail(Halted('PORT: taken')))", 3),
        (
            "async with asyncio.TaskGroup() as outer:\n"
            "    async with asyncio.TaskGroup() as tasks:\n"
            "        tasks.create_task(wait_for_ever(stopping))\n"
            "        tasks.create_task(fail(SettingsRefused('PORT: taken')))",
            2,
        ),
    ],
)
def test_a_refusal_is_one_line_and_its_status(body: str, status: int) -> None:
    done = ended(body)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "test_service: PORT: taken\n")


def test_what_is_unforeseen_is_logged_with_its_traceback_on_one_line_and_ends_with_1() -> None:
    done = ended("raise KeyError('a\\nb')")
    [line] = log_lines(done.stderr)
    assert done.returncode == 1
    assert (line["level"], line["service"], line["event"]) == ("error", "test_service", "service.failed")
    assert "KeyError: 'a\\nb'" in line["traceback"]


def test_a_refusal_does_not_hide_what_went_wrong_beside_it() -> None:
    done = ended("raise ExceptionGroup('both', [StartRefused('no'), ZeroDivisionError('yes')])")
    [line] = log_lines(done.stderr)
    assert done.returncode == 1
    assert "ZeroDivisionError: yes" in line["traceback"]


def test_a_service_that_is_done_ends_with_0() -> None:
    done = ended("return")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wanted", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_service_with_0(wanted: signal.Signals) -> None:
    body = "sys.stdout.write('up\\n'); sys.stdout.flush()\nawait stopping.wait()\nsys.stdout.write('down\\n')"
    with subprocess.Popen(
        program(body), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(wanted)
            assert process.communicate(timeout=60) == ("down\n", "")
        finally:
            process.kill()
    assert process.returncode == 0


def test_a_wrong_setting_is_one_line_and_2() -> None:
    done = ended("return", TEST_SERVICE_PORT="http")
    assert done.returncode == 2
    assert done.stderr.startswith("test_service: TEST_SERVICE_PORT='http': ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("level", ["LOUD", "10", "info ", "a\nb"])
def test_a_wrong_log_level_is_one_line_and_2(level: str) -> None:
    done = ended("return", DUTCHBOOK_LOG_LEVEL=level)
    assert done.returncode == 2
    assert done.stderr == (
        f"test_service: DUTCHBOOK_LOG_LEVEL={level!r}: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL\n"
    )


@pytest.mark.parametrize(("level", "lines"), [("", 1), ("info", 1), ("ERROR", 0)])
def test_the_log_level_decides_what_is_written(level: str, lines: int) -> None:
    done = ended("import logging; logging.getLogger('x').info('hello')", DUTCHBOOK_LOG_LEVEL=level)
    assert done.returncode == 0
    assert len(log_lines(done.stderr)) == lines
