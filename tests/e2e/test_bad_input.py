"""Everything a user or a machine can get wrong at the start: one clear line, the right exit status, no traceback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from services.cli.config_lines import problem_of
from services.cli.simulated import SHIPPED_MAPPINGS
from services.cli.stack import SERVICES
from services.venue_sim.ready import ThrowAwayKey
from shared.runtime.redis_server import start_private_redis
from tests.e2e.processes import Run, running

NOWHERE = "unix:///nonexistent/redis.sock"
GOOD_WEBHOOK = "https://hooks.slack.com/services/T000/B000/abc"


def secret(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings with which every service starts, but for Redis, which is not there."""
    folder = tmp_path_factory.mktemp("good")
    key = ThrowAwayKey.make()
    key.write(folder / "kalshi.pem")
    return {
        "DUTCHBOOK_REDIS_URL": NOWHERE,
        "DUTCHBOOK_INTENT_KEY_FILE": secret(folder / "intent.key", "k" * 64),
        "KALSHI_DEMO_KEY_ID": key.key_id,
        "KALSHI_DEMO_KEY_FILE": str(folder / "kalshi.pem"),
        "KALSHI_EXECUTOR_LEDGER_FILE": str(folder / "ledger.sqlite3"),
        "MATCHER_MAPPINGS_DIR": str(SHIPPED_MAPPINGS),
        "ALERTS_SLACK_WEBHOOK_URL_FILE": secret(folder / "slack.url", GOOD_WEBHOOK),
    }


def the_line(run: Run) -> str:
    """Return the one line for people on stderr; log lines are JSON and may stand beside it."""
    assert "raceback" not in run.stderr, run.stderr
    [line] = [line for line in run.stderr.splitlines() if not line.startswith("{")]
    assert run.stdout == ""
    return line


def refusal(folder: Path, *command: str, **environ: str) -> tuple[int, str]:
    """Return the exit status and the one line of a process that does not start."""
    with running(*command, folder=folder, **environ) as run:
        return run.ends(), the_line(run)


WRONG_SETTINGS = [
    *((service, "DUTCHBOOK_REDIS_URL", "", 2) for service in SERVICES),
    *((service, "DUTCHBOOK_LOG_LEVEL", "LOUD", 2) for service in ("matcher", "venue_sim")),
    ("kalshi_feed", "KALSHI_ENV", "moon", 2),
    ("kalshi_feed", "KALSHI_DEMO_KEY_ID", "", 2),
    ("kalshi_feed", "KALSHI_DEMO_KEY_FILE", "/nonexistent/key.pem", 2),
    ("kalshi_feed", "KALSHI_PROD_KEY_ID", "also-set", 2),
    ("kalshi_feed", "KALSHI_REST_URL", "http://example.com/trade-api/v2", 2),
    ("kalshi_feed", "KALSHI_FEED_DEPTH", "0", 2),
    ("polymarket_feed", "POLYMARKET_WS_URL", "ftp://127.0.0.1/ws", 2),
    ("polymarket_feed", "POLYMARKET_FEED_AUDIT_S", "soon", 2),
    ("matcher", "MATCHER_MAPPINGS_DIR", "/nonexistent/mappings", 2),
    ("arb_detector", "ARB_DETECTOR_MIN_EDGE_DOLLARS", "NaN", 2),
    ("arb_detector", "ARB_DETECTOR_DEBOUNCE_MS", "-1", 2),
    ("arb_detector", "DUTCHBOOK_INTENT_KEY_FILE", "/nonexistent/intent.key", 2),
    ("kalshi_executor", "DUTCHBOOK_INTENT_KEY_FILE", "", 2),
    ("kalshi_executor", "KALSHI_EXECUTOR_LEDGER_FILE", "", 2),
    ("kalshi_executor", "KALSHI_EXECUTOR_MAX_CONTRACTS", "many", 2),
    ("kalshi_executor", "KALSHI_EXECUTOR_MODE", "live", 3),
    ("alerts", "ALERTS_SLACK_WEBHOOK_URL_FILE", "/nonexistent/slack.url", 2),
    ("alerts", "ALERTS_ALLOW_LOCAL_SINK", "perhaps", 2),
    ("venue_sim", "VENUE_SIM_CONTROL_PORT", "-1", 2),
]
_SEEN_LATER = {"MATCHER_MAPPINGS_DIR", "KALSHI_EXECUTOR_MODE"}
"""Neither is wrong as a setting: one names what is not there, the other what this release does not do."""


@pytest.mark.parametrize(("service", "variable", "value", "status"), WRONG_SETTINGS)
def test_a_wrong_or_missing_setting_is_one_line_that_names_the_variable(  # noqa: PLR0917 - a table's columns
    good: dict[str, str], tmp_path: Path, service: str, variable: str, value: str, status: int
) -> None:
    found, line = refusal(tmp_path, f"services.{service}", **{**good, variable: value})
    assert (found, line.startswith(f"{service}: ")) == (status, True), line
    assert variable in line or (variable, value) == ("KALSHI_PROD_KEY_ID", "also-set"), line
    if variable not in _SEEN_LATER:
        said = problem_of(service, {**good, variable: value})
        assert said is not None
        assert line == f"{said.service}: {said.text}", "`config show` says what the service says"


@pytest.mark.parametrize(
    ("service", "variable"),
    [
        ("kalshi_feed", "KALSHI_DEMO_KEY_FILE"),
        ("arb_detector", "DUTCHBOOK_INTENT_KEY_FILE"),
        ("kalshi_executor", "DUTCHBOOK_INTENT_KEY_FILE"),
        ("alerts", "ALERTS_SLACK_WEBHOOK_URL_FILE"),
    ],
)
def test_a_secret_that_others_can_read_is_refused_with_the_command_that_mends_it(
    good: dict[str, str], tmp_path: Path, service: str, variable: str
) -> None:
    path = secret(tmp_path / "open.secret", Path(good[variable]).read_text(), 0o644)
    status, line = refusal(tmp_path, f"services.{service}", **{**good, variable: path})
    assert (status, variable in line, f"chmod 600 {path}" in line) == (2, True, True), line


# --- Redis ------------------------------------------------------------------------------------------------------------


def every_line(good: dict[str, str], tmp_path: Path, url: str) -> dict[str, tuple[int, str]]:
    """Start every service on a Redis that cannot be used, all at once; return status and line of each."""
    environ = {**good, "DUTCHBOOK_REDIS_URL": url}
    runs = {service: Run((f"services.{service}",), tmp_path / service, environ) for service in SERVICES}
    try:
        return {service: (run.ends(), the_line(run)) for service, run in runs.items()}
    finally:
        for run in runs.values():
            run.clean_up()


@pytest.mark.parametrize(("url", "status"), [(NOWHERE, 1), ("redis://127.0.0.1:1/0", 1), ("banana", 2)])
def test_without_redis_every_service_ends_and_names_the_setting_and_an_address_that_is_none_is_a_wrong_setting(
    good: dict[str, str], tmp_path: Path, url: str, status: int
) -> None:
    for service, (ended_with, line) in every_line(good, tmp_path, url).items():
        assert (ended_with, line.startswith(f"{service}: ")) == (status, True), line
        assert url in line
        assert "DUTCHBOOK_REDIS_URL" in line


@contextmanager
def old_redis() -> Iterator[str]:
    """A server that answers every command as one of version 6.2.14 answers INFO."""
    facts = b"# Server\r\nredis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n"

    def serve(link: socket.socket) -> None:
        with link:
            while asked := link.recv(65_536):
                infos = asked.upper().count(b"INFO\r\n")
                others = asked.count(b"*") - infos
                link.sendall(b"+OK\r\n" * others + (b"$%d\r\n%s\r\n" % (len(facts), facts)) * infos)

    def accept() -> None:
        while True:
            try:
                link, _ = door.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=serve, args=(link,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{door.getsockname()[1]}/0"
        door.shutdown(socket.SHUT_RDWR)


def test_a_redis_that_is_too_old_is_refused_with_both_versions(good: dict[str, str], tmp_path: Path) -> None:
    with old_redis() as url:
        lines = every_line(good, tmp_path, url)
    for status, line in lines.values():
        assert (status, "6.2.14" in line, "7.0" in line) == (1, True, True), line


def test_a_redis_that_may_evict_is_refused_with_what_to_set(good: dict[str, str], tmp_path: Path) -> None:
    with start_private_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        lines = every_line(good, tmp_path, server.url)
    for status, line in lines.values():
        assert (status, "allkeys-lru" in line, "noeviction" in line) == (1, True, True), line


# --- files and ports --------------------------------------------------------------------------------------------------


def test_a_mapping_error_is_named_by_file_and_line_by_the_matcher_and_by_lint(
    good: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "mappings"
    (folder / "pairs").mkdir(parents=True)
    (folder / "pairs" / "mine.yaml").write_text("schema_version: 1\npairs:\n  - pair_id: a\n    pair_id: b\n")
    status, line = refusal(tmp_path, "services.matcher", **{**good, "MATCHER_MAPPINGS_DIR": str(folder)})
    assert (status, "pairs/mine.yaml:4" in line) == (2, True), line
    with running("services.cli", "pairs", "lint", str(folder), folder=tmp_path) as run:
        assert run.ends() == 1
        assert "pairs/mine.yaml:4" in run.stdout
        assert run.stderr == ""


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--kalshi-port", "--polymarket-port"):
            status, line = refusal(tmp_path, "services.cli", "sim", option, port)
            assert (status, port in line, "in use" in line) == (1, True, True), line


def test_a_ready_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "ready.json")
    status, line = refusal(tmp_path, "services.cli", "sim", "--ready-file", path)
    assert (status, path in line) == (1, True), line


def test_a_ledger_that_cannot_be_made_is_named(good: dict[str, str], tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "ledger.sqlite3")
    with start_private_redis() as server:
        environ = {**good, "DUTCHBOOK_REDIS_URL": server.url, "KALSHI_EXECUTOR_LEDGER_FILE": path}
        status, line = refusal(tmp_path, "services.kalshi_executor", **environ)
    assert (status in {1, 2}, path in line) == (True, True), line


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("demo", "--duration", "soon"), "--duration"),
        (("run", "everything"), "everything"),
        (("books", "kalshi", "/nonexistent/frames.jsonl"), "/nonexistent/frames.jsonl"),
        (("pairs", "lint", "/nonexistent"), "/nonexistent"),
        (("fee", "kalshi", "--price", "1.5", "--contracts", "1"), "--price"),
    ],
)
def test_a_wrong_command_ends_without_a_traceback(tmp_path: Path, command: tuple[str, ...], names: str) -> None:
    with running("services.cli", *command, folder=tmp_path) as run:
        assert run.ends() in {1, 2}
        assert names in run.stderr
        assert "raceback" not in run.stderr
        assert run.stdout == ""


# --- recorded frames with broken lines --------------------------------------------------------------------------------

SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"KXA-1-B","market_id":"",'
    b'"yes_dollars_fp":[["0.4000","5.00"]],"no_dollars_fp":[["0.5000","7.00"]]}}'
)
DELTA = (
    b'{"type":"orderbook_delta","sid":1,"seq":3,"msg":{"market_ticker":"KXA-1-B","market_id":"",'
    b'"price_dollars":"0.4000","delta_fp":"1.00","side":"yes","ts":"2026-06-11T12:00:00Z"}}'
)


def test_broken_lines_of_a_recording_are_counted_and_cost_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b"\n".join([SNAPSHOT % 1, b"{", b"\xff\xfe", b"[1]", b'"x"', SNAPSHOT % 2, DELTA]) + b"\n")
    with running("services.cli", "books", "kalshi", str(path), folder=tmp_path) as run:
        assert run.ends() == 0, run.stderr
        assert "raceback" not in run.stderr
    assert [line.split() for line in run.stdout.splitlines()] == [
        ["KXA-1-B"],
        ["ask", "0.5", "7"],
        ["bid", "0.4", "6"],
        ["frames", "3", "(orderbook_delta", "1,", "orderbook_snapshot", "2)"],
        ["gaps", "0"],
        ["refused", "4", "(unreadable", "frame", "4)"],
    ]


def test_a_book_that_a_broken_line_cost_is_named(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b"\n".join([SNAPSHOT % 1, b"{"]))
    with running("services.cli", "books", "kalshi", str(path), folder=tmp_path) as run:
        assert run.ends() == 0, run.stderr
    assert "\nKXA-1-B: not to be believed, frames that it needs were lost or refused\n" in run.stdout
