"""The parts of the command line by themselves: files that users name, what is written, processes, waiting, the sink."""

import asyncio
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import output
from services.cli.slack_sink import SlackSink
from services.cli.sources import bytes_of, lines_of
from services.cli.stack import Stack
from services.cli.waiting import wait_until
from shared.io.http import HttpClient
from shared.runtime.errors import SettingsRefused, StartRefused

LINES = [b"one\n", b"two\r\n", b"\xff\xfe\n", b"\n", b"last"]


def plain(path: Path) -> Path:
    path.write_bytes(b"".join(LINES))
    return path


def packed(path: Path) -> Path:
    path.write_bytes(gzip.compress(b"".join(LINES)))
    return path


def cut(path: Path) -> Path:
    path.write_bytes(gzip.compress(bytes(range(256)) * 50)[:-20])
    return path


def spoiled(path: Path) -> Path:
    """A right head, then a block of a type that does not exist: the unpacking itself fails."""
    path.write_bytes(gzip.compress(b"")[:10] + b"\xff" * 50)
    return path


def wrong_checksum(path: Path) -> Path:
    path.write_bytes(gzip.compress(b"data")[:-8] + b"\0" * 8)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(("make", "name"), [(plain, "f.jsonl"), (packed, "f.jsonl.gz"), (packed, "f.gz")])
def test_lines_come_as_they_are_from_plain_and_packed_files(
    tmp_path: Path, make: Callable[[Path], Path], name: str
) -> None:
    assert list(lines_of(make(tmp_path / name))) == LINES


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (lambda path: path, "gone.jsonl", "No such file or directory"),
        (lambda path: path, "gone.jsonl.gz", "No such file or directory"),
        (folder, "folder", "Is a directory"),
        (folder, "folder.gz", "Is a directory"),
        (plain, "plain.jsonl.gz", "Not a gzipped file"),
        (cut, "cut.jsonl.gz", "ended before the end-of-stream marker"),
        (spoiled, "spoiled.jsonl.gz", "while decompressing"),
        (wrong_checksum, "wrong.jsonl.gz", "CRC check failed"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(
    tmp_path: Path, make: Callable[[Path], Path], name: str, says: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(StartRefused) as refused:
        list(lines_of(path))
    text = str(refused.value)
    assert text.startswith(f"cannot read {path}: ")
    assert says in text
    assert "\n" not in text
    assert refused.value.exit_status == 1


def test_a_whole_file_is_read_or_refused(tmp_path: Path) -> None:
    whole = b"".join(LINES)
    assert bytes_of(plain(tmp_path / "f"), most=10_000) == whole
    assert bytes_of(tmp_path / "f", most=3) == whole[:3]
    with pytest.raises(SettingsRefused, match=r"cannot read .*gone: No such file or directory"):
        bytes_of(tmp_path / "gone", most=10_000)


def written_line(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    output.write_line(text)
    return stdout.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "\n"),
        ("São Paulo – 25 °C ≥ \U0001f600", "São Paulo – 25 °C ≥ \U0001f600\n"),
        ("no-break\u00a0space", "no-break space\n"),
        ("\x1b[2Jgone\r\n", "\\u001b[2Jgone\\u000d\\u000a\n"),
        ("\x9b31m \u2028 \u202e", "\\u009b31m \\u2028 \\u202e\n"),
        ("\ud800", "\\ud800\n"),
    ],
)
def test_a_venues_text_stays_on_its_line_and_cannot_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, text: str, shown: str
) -> None:
    assert written_line(monkeypatch, text) == shown


def test_json_is_one_line_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    output.write_json({"title": "two\nlines", "n": 1})
    assert stdout.getvalue() == '{"title":"two\\nlines","n":1}\n'


async def test_waiting_ends_when_the_condition_holds() -> None:
    answers = iter([False, True])

    async def condition() -> bool:
        return next(answers)

    await wait_until(condition, timeout_s=30, what="not ready")
    assert list(answers) == []


async def test_waiting_in_vain_says_for_what_and_how_long() -> None:
    async def never() -> bool:
        return False

    with pytest.raises(StartRefused, match=r"^the feed is not ready after 0 s$"):
        await wait_until(never, timeout_s=0.01, what="the feed is not ready")


async def test_a_condition_that_fails_ends_the_waiting() -> None:
    async def broken() -> bool:
        raise StartRefused("matcher ended with status 2")

    with pytest.raises(StartRefused, match="matcher ended"):
        await wait_until(broken, timeout_s=30, what="not ready")


async def test_a_service_that_ends_by_itself_is_reported_by_name_with_its_last_word(tmp_path: Path) -> None:
    stack = Stack(tmp_path, {"DUTCHBOOK_REDIS_URL": ""})
    try:
        await stack.start("alerts")
        async with asyncio.timeout(60):
            with pytest.raises(StartRefused) as refused:
                await stack.broken
    finally:
        await stack.stop()
    log_path = tmp_path / "alerts.log"
    assert str(refused.value) == (
        f"alerts ended with status 2: alerts: DUTCHBOOK_REDIS_URL is not set (log: {log_path})"
    )
    assert stack.log_path("alerts") == log_path


async def test_a_service_that_is_asked_to_end_is_no_failure(tmp_path: Path) -> None:
    """The simulator needs nothing but loopback; it is stopped as soon as it listens."""
    ready_file = tmp_path / "ready.json"
    stack = Stack(tmp_path, {"VENUE_SIM_READY_FILE": str(ready_file)})

    async def listens() -> bool:
        return ready_file.is_file()

    try:
        await stack.start("venue_sim")
        await wait_until(listens, timeout_s=60, what="the simulator does not listen")
    finally:
        await stack.stop()
    assert stack.broken.cancelled()


async def test_a_stack_without_services_stops_at_once(tmp_path: Path) -> None:
    stack = Stack(tmp_path, {})
    await stack.stop()
    assert stack.broken.cancelled()


async def test_the_sink_answers_as_slack_does_and_counts() -> None:
    async with SlackSink() as sink:
        base, _, path = sink.url.partition("/services/")
        async with HttpClient(base) as client:
            answers = [await client.post(f"/services/{path}", {"text": "hello"}) for _ in range(2)]
            refused = await client.post("/services/T/B/other", {"text": "hello"})
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok")] * 2
    assert refused.status == 404
    assert sink.messages == 2
    assert base.startswith("http://127.0.0.1:")


def test_an_interrupt_while_the_program_still_loads_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    root = Path(__file__).parents[3]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(root)))}
    command = [sys.executable, "-m", "services.cli", "version"]
    ended = subprocess.run(command, env=environ, cwd=root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "dutchbook: stopped before it had started\n"
