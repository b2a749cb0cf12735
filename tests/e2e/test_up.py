"""``dutchbook up`` with real processes, on simulated venues: it asks nobody without consent, and nothing is left."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli.simulated import write_mappings
from services.cli.stack import SERVICES
from tests.e2e.pipeline import ask
from tests.e2e.processes import Run, needs_proc, running, short_folder
from tests.waiting import eventually

STOP_S = 20.0
SOME_LIVE = re.compile(r"[1-9][0-9]* live pairs")


class Venues:
    """Simulated venues and the settings that name them."""

    def __init__(self, ready: dict[str, dict[str, str]], folder: Path) -> None:
        self.control = str(ready["control_url"])
        kalshi, polymarket = ready["kalshi"], ready["polymarket"]
        self.environ = {
            "KALSHI_DEMO_KEY_ID": kalshi["key_id"],
            "KALSHI_DEMO_KEY_FILE": kalshi["private_key_file"],
            "KALSHI_REST_URL": kalshi["rest_url"],
            "KALSHI_WS_URL": kalshi["ws_url"],
            "POLYMARKET_GAMMA_URL": polymarket["gamma_url"],
            "POLYMARKET_CLOB_URL": polymarket["clob_url"],
            "POLYMARKET_WS_URL": polymarket["ws_url"],
            "MATCHER_MAPPINGS_DIR": str(write_mappings(folder, ask(f"{self.control}/mappings")["pairs"])),
        }


@pytest.fixture(scope="module")
def venues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venues]:
    folder = tmp_path_factory.mktemp("venues")
    ready = folder / "ready.json"
    with running("services.cli", "sim", "--ready-file", str(ready), folder=folder) as sim:
        eventually(ready.exists, what=lambda: sim.stderr)
        yield Venues(json.loads(ready.read_text()), folder)


@contextmanager
def up(folder: Path, *options: str, **environ: str) -> Iterator[tuple[Run, Path]]:
    """A run and the folder of all its temporary files."""
    with (
        short_folder() as temporary,
        running("services.cli", "up", *options, folder=folder, TMPDIR=str(temporary), **environ) as run,
    ):
        yield run, temporary


def test_on_a_simulator_it_finds_what_is_open_sends_no_order_and_leaves_nothing(venues: Venues, tmp_path: Path) -> None:
    needs_proc()
    with up(tmp_path, **venues.environ) as (run, temporary):
        eventually(lambda: "OPEN  sim-" in run.stderr, what=lambda: run.stderr)
        assert set(SERVICES) <= run.services()
        [url] = re.findall(r"DUTCHBOOK_REDIS_URL=(unix:\S+) dutchbook scan", run.stdout)
        with running("services.cli", "scan", "--once", folder=tmp_path / "scan", DUTCHBOOK_REDIS_URL=url) as scan:
            assert scan.ends() == 0, scan.stderr
            assert SOME_LIVE.search(scan.stdout)
        run.tell(signal.SIGINT)
        assert run.ends(within_s=STOP_S) == 0, run.stderr
        assert run.is_gone_with_everything(within_s=STOP_S), run.family()
        assert list(temporary.iterdir()) == []
    assert run.stdout.splitlines()[-1] == "ended"
    assert "orders      none" in run.stdout
    assert "raceback" not in run.stderr
    assert ask(f"{venues.control}/stats")["kalshi"]["orders_received"] == 0


def test_a_folder_keeps_logs_ledger_and_redis_and_is_used_again(venues: Venues, tmp_path: Path) -> None:
    needs_proc()
    keys = set()
    with short_folder() as kept:
        folder = kept / "run"
        for _ in range(2):
            with up(tmp_path, "--folder", str(folder), **venues.environ) as (run, temporary):
                eventually(lambda: SOME_LIVE.search(run.stderr), what=lambda: run.stderr)
                eventually((folder / "ledger.sqlite3").exists)
                eventually(lambda: set(SERVICES) <= run.services())
                with up(tmp_path / "second", "--folder", str(folder), **venues.environ) as (second, _):
                    assert second.ends() == 1
                    assert second.stderr.startswith(f"dutchbook: --folder: another run uses {folder}; ")
                run.tell(signal.SIGTERM)
                assert run.ends(within_s=STOP_S) == 0, run.stderr
                assert list(temporary.iterdir()) == []
            keys.add((folder / "intent.key").read_text())
        assert SOME_LIVE.search(run.stderr.splitlines()[0]), "the second run begins with the pairs of the first"
        assert {"redis", *(f"{service}.log" for service in SERVICES)} <= {path.name for path in folder.iterdir()}
        assert (folder / "intent.key").stat().st_mode & 0o777 == 0o600
    assert len(keys) == 1


def test_a_service_that_ends_by_itself_ends_all_and_names_its_log(venues: Venues, tmp_path: Path) -> None:
    broken = tmp_path / "mappings"
    (broken / "pairs").mkdir(parents=True)
    (broken / "pairs" / "mine.yaml").write_text("schema_version: 1\npairs:\n  - pair_id: a\n    pair_id: b\n")
    with up(tmp_path, **{**venues.environ, "MATCHER_MAPPINGS_DIR": str(broken)}) as (run, temporary):
        assert run.ends() == 1
        [line] = [line for line in run.stderr.splitlines() if line.startswith("dutchbook: ")]
        assert line.startswith("dutchbook: matcher ended with status 2: matcher: ")
        [kept] = temporary.iterdir()
        assert f"(log: {kept / 'matcher.log'})" in line


@pytest.mark.parametrize(
    ("options", "environ", "status", "says"),
    [
        ((), {}, 2, "add --live-data"),
        ((), {"KALSHI_REST_URL": "http://127.0.0.1:1/trade-api/v2"}, 2, "add --live-data"),
        (("--live-data",), {"KALSHI_EXECUTOR_MODE": "live"}, 3, "dutchbook up only simulates orders"),
        (("--live-data",), {"KALSHI_REST_URL": "https://example.com/trade-api/v2"}, 2, "KALSHI_REST_URL"),
        (("--live-data",), {"ARB_DETECTOR_DEBOUNCE": "5"}, 2, "did you mean ARB_DETECTOR_DEBOUNCE_MS?"),
        (("--live-data",), {"DUTCHBOOK_REDIS_URL": "unix:///nonexistent/redis.sock"}, 1, "check DUTCHBOOK_REDIS_URL"),
        (("--live-data", "--folder", "/nonexistent/folder"), {}, 1, "--folder: cannot use /nonexistent/folder"),
    ],
)
def test_what_cannot_be_started_is_one_line_and_nobody_is_asked(
    tmp_path: Path, options: tuple[str, ...], environ: dict[str, str], status: int, says: str
) -> None:
    with up(tmp_path, *options, **environ) as (run, temporary):
        assert run.ends() == status
        [line] = run.stderr.splitlines()
        assert line.startswith("dutchbook: ")
        assert says in line
        assert not run.services() & set(SERVICES)
        assert list(temporary.iterdir()) == []
